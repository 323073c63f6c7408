"""What an attempt has come to, from what came back. No I/O.

Again is what may pass: no answer, 408, 425, 429, every 5xx, and an answer that is not Relay's (a proxy's
page). All else is for good, as is an address that cannot be one. That something may be stored is said of
whatever may have reached Relay, but for 429.
"""

from typing import Any, Final

from relay_client.answers import Answer, error_of, read
from relay_client.errors import (
    ApiError,
    BadAnswer,
    BadMessage,
    RelayError,
    Throttled,
    TooLarge,
    Unavailable,
    Unreachable,
)
from relay_client.publishing.outgoing import Accepted, Again, Batch, Outcome, Receipt, Refused, TooMuch

_PASSING: Final = frozenset({408, 425, 429})


def of_answer(batch: Batch[Any], answer: Answer) -> Outcome:
    """Of an answer to a publish of this batch."""
    if not answer.is_success:
        return of_error(error_of(answer))
    try:
        return Accepted(_receipts(batch, read(answer), is_stored=answer.status == 201))
    except BadAnswer as error:
        return of_error(error)


def of_error(error: Exception) -> Outcome:
    """Of what was raised instead: whatever it is, the messages are still to be settled."""
    if not isinstance(error, RelayError):
        error = RelayError(f"The request could not be made: {type(error).__name__}")
    if isinstance(error, Unreachable):
        return Again(error, may_be_stored=error.was_sent) if error.may_pass else Refused(error)
    if isinstance(error, BadMessage | TooLarge) and error.index is not None:
        return Refused(error, error.index)
    if isinstance(error, TooLarge):
        return TooMuch(error)
    if isinstance(error, ApiError) and error.status not in _PASSING and error.status < 500:
        return Refused(error)
    asked = error.retry_after_seconds if isinstance(error, Throttled | Unavailable) else None
    return Again(error, may_be_stored=not isinstance(error, Throttled), asked=asked)


def _receipts(batch: Batch[Any], said: Any, *, is_stored: bool) -> list[Receipt]:
    count = len(batch.messages)
    ids = _column(said, "ids", count, str)
    positions = _column(said, "positions", count, str | None) if is_stored else [None] * count
    duplicates = _indices(said.get("duplicates")) if is_stored else None
    return [
        Receipt(
            batch.channel,
            ids[index],
            message.idempotency_key,
            positions[index],
            None if duplicates is None else index in duplicates,
        )
        for index, message in enumerate(batch.messages)
    ]


def _indices(found: Any) -> frozenset[int] | None:
    """Those that a list has; None: it is none."""
    return frozenset(each for each in found if isinstance(each, int)) if isinstance(found, list) else None


def _column(said: Any, member: str, count: int, kind: Any) -> list[Any]:
    """One member of the answer, which has something for each message."""
    found = said.get(member) if isinstance(said, dict) else None
    if isinstance(found, list) and len(found) == count and all(isinstance(each, kind) for each in found):
        return found
    raise BadAnswer(f"The answer to {count} messages has not as many {member}: is this the address of Relay?")
