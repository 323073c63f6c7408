"""What an attempt has come to, from what came back. No I/O.

Again is what may pass (`errors.may_pass`), all else is for good. That something may be stored is said of
whatever may have reached Relay, but for 429.
"""

from typing import Any

from relay_client.answers import Answer, error_of, read
from relay_client.errors import (
    BadAnswer,
    BadMessage,
    Throttled,
    TooLarge,
    Unreachable,
    asked_to_wait,
    may_pass,
    ours,
)
from relay_client.publishing.outgoing import Accepted, Again, Batch, Outcome, Receipt, Refused, TooMuch


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
    error = ours(error)
    if isinstance(error, BadMessage | TooLarge) and error.index is not None:
        return Refused(error, error.index)
    if isinstance(error, TooLarge):
        return TooMuch(error)
    if not may_pass(error):
        return Refused(error)
    was_taken = error.was_sent if isinstance(error, Unreachable) else not isinstance(error, Throttled)
    return Again(error, may_be_stored=was_taken, asked=asked_to_wait(error))


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
