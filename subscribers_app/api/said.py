"""What a client says of messages that it was given, as JSON has it: by itself, or with a `fetch`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from rest_framework.exceptions import ParseError

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.leasing import Delivery
from relaycore.delivering.settings import CURSOR, LEASE
from relaycore.delivering.settling import Change
from relaycore.delivering.tokens import Token
from relaycore.position import is_position
from subscribers_app.pulling.desk import Desk
from subscribers_app.pulling.saying import Commit, Said, Settle

MOST_TOKENS: Final = 10_000

TOO_LATE: Final = "Too late: it is done, or somebody else has it by now."
NEVER_GIVEN: Final = "This is no token that was ever given."

WITH_FETCH: Final = {"commit": CURSOR, "generation": CURSOR, "ack": LEASE, "nack": LEASE}
"""What a fetch may say, and in which mode."""

Results = Sequence[Mapping[str, Any]]
"""What became of each token, in their order."""


def done(delivery: Delivery, now: int) -> None:
    """What an ack makes of it."""


def commit(desk: Desk, given: Mapping[str, Any], name: str, then: Callable[[Cursor], object]) -> Commit:
    """Everything up to the position in this field is done."""
    position, generation = given.get(name), given.get("generation")
    if not isinstance(position, str) or not is_position(position):
        raise ParseError(f"{name} must be what fetch has answered as position.")
    if "generation" in given and (type(generation) is not int or not 1 <= generation <= 1 << 62):
        raise ParseError(f"generation must be a whole number from 1 to {1 << 62}.")

    def held(cursor: Cursor) -> None:
        desk.counted.committed(position)
        then(cursor)

    return Commit(position, generation, held)


def settle(
    desk: Desk, changes: Sequence[tuple[Sequence[str], Change]], then: Callable[[Results], object]
) -> Settle:
    """What becomes of messages, by the texts of their tokens."""
    parsed = [([(text, Token.parse(text)) for text in texts], change) for texts, change in changes]

    def held(in_time: Sequence[bool]) -> None:
        answers, results = iter(in_time), list[Mapping[str, Any]]()
        for pairs, change in parsed:
            found = [_result(text, token, answers) for text, token in pairs]
            if change is done:
                desk.counted.done(sum(one["ok"] for one in found))
            results += found
        then(results)

    known = [([token for _, token in pairs if token is not None], change) for pairs, change in parsed]
    return Settle(desk.known.revision, known, held)


def with_fetch(desk: Desk, given: Mapping[str, Any], then: Callable[[Any], object]) -> Said | None:
    """What is said with a fetch. The fields are those of its mode."""
    if "commit" in given:
        return commit(desk, given, "commit", then)
    if "generation" in given:
        raise ParseError("generation goes with commit.")
    settings = desk.known.settings
    changes: list[tuple[Sequence[str], Change]] = []
    if "ack" in given:
        changes.append((tokens_of(given, "ack"), done))
    if "nack" in given:
        changes.append((tokens_of(given, "nack"), lambda delivery, now: delivery.nack(settings, now)))
    return settle(desk, changes, then) if changes else None


def tokens_of(given: Mapping[str, Any], name: str) -> Sequence[str]:
    """The texts of this field."""
    texts = given.get(name)
    if not isinstance(texts, list) or not 1 <= len(texts) <= MOST_TOKENS or not all(map(_is_text, texts)):
        raise ParseError(f"{name} must be a list of 1 to {MOST_TOKENS} tokens, which are text.")
    return texts


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _result(text: str, token: Token | None, in_time: Any) -> Mapping[str, Any]:
    is_ok = token is not None and next(in_time)
    error = None if is_ok else NEVER_GIVEN if token is None else TOO_LATE
    return {"token": text, "ok": is_ok, "error": error}
