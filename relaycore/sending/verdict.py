"""What an answer means, for its message and for the endpoint."""

from enum import StrEnum
from typing import Final

from relaycore.sending.answers import Answer


class Verdict(StrEnum):
    """Of one attempt."""

    DONE = "done"
    FAILED = "failed"
    SLOW = "slow"  # Failed, and it says itself that it is too much.
    GONE = "gone"  # Failed, and nothing is to be sent to it any more.

    @property
    def is_done(self) -> bool:
        """Whether the endpoint has the message."""
        return self is Verdict.DONE


_SLOW: Final = frozenset({429, 502, 503, 504})
"""Standard Webhooks 1.0.0 has these without 503, for which RFC 9110 says `Retry-After`."""

_GONE: Final = 410


def judge(answer: Answer) -> Verdict:
    """By its final status alone; a redirect is not followed, and is a failure."""
    if answer.status is None:
        return Verdict.FAILED
    if 200 <= answer.status < 300:
        return Verdict.DONE
    if answer.status in _SLOW:
        return Verdict.SLOW
    return Verdict.GONE if answer.status == _GONE else Verdict.FAILED
