"""What an answer means, for its message and for the endpoint."""

from enum import StrEnum
from typing import Final

from relaycore.sending.answers import Answer, Failure


class Verdict(StrEnum):
    """Of one attempt."""

    DONE = "done"
    FAILED = "failed"
    SLOW = "slow"  # Failed, and it says itself that it is too much.
    GONE = "gone"  # Failed, and nothing is to be sent to it any more.
    UNFIT = "unfit"  # Failed, since this message cannot be sent. Trying it again changes nothing.
    OURS = "ours"  # Failed, and nobody knows whether it arrived. It is none of the endpoint's doing.

    @property
    def is_done(self) -> bool:
        """Whether the endpoint has the message."""
        return self is Verdict.DONE

    @property
    def is_theirs(self) -> bool:
        """Whether it says something of the endpoint."""
        return self is not Verdict.UNFIT and self is not Verdict.OURS


_SLOW: Final = frozenset({429, 502, 503, 504})
"""Standard Webhooks 1.0.0 has these without 503, for which RFC 9110 says `Retry-After`."""

_GONE: Final = 410

_OF_CONTENT: Final = frozenset({400, 413, 422})
"""What these say may be about one message, or about how many there are."""

_NOT_THEIRS: Final = {Failure.REQUEST: Verdict.UNFIT, Failure.OURS: Verdict.OURS}


def judge(answer: Answer) -> Verdict:
    """By its final status alone; a redirect is not followed, and is a failure."""
    if answer.status is None:
        return Verdict.FAILED if answer.failure is None else _NOT_THEIRS.get(answer.failure, Verdict.FAILED)
    if 200 <= answer.status < 300:
        return Verdict.DONE
    if answer.status in _SLOW:
        return Verdict.SLOW
    return Verdict.GONE if answer.status == _GONE else Verdict.FAILED


def is_of_content(answer: Answer) -> bool:
    """Whether what was sent may be why: of a batch each message is tried by itself from then on."""
    return answer.status in _OF_CONTENT or answer.failure is Failure.REQUEST
