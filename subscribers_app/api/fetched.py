"""What `fetch` is answered: as data for REST framework, and as JSON for who is answered before Django."""

import functools
import json
from typing import Any, Final

from messages_app.searching.rows import row, text, timestamp
from relaybase.http.hot import Encoded
from relaycore.delivering.reading import Document
from relaycore.delivering.tokens import Token
from relaycore.times import from_milliseconds
from subscribers_app.pulling.asked import Given

_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def as_data(given: Given) -> dict[str, Any]:
    """For REST framework."""
    rows = []
    for document in given.messages:
        found = row(dict(document))
        if given.deliveries:
            found["delivery"] = _delivery(given, document["position"])
        rows.append(found)
    return {"messages": rows, **_around(given)}


def as_text(given: Given) -> Encoded:
    """The same, encoded."""
    rows = map(functools.partial(_leased, given) if given.deliveries else text, given.messages)
    return Encoded('{"messages":[', rows, f"],{_encode(_around(given))[1:]}")


def _leased(given: Given, document: Document) -> str:
    return f'{text(document)[:-1]},"delivery":{_encode(_delivery(given, document["position"]))}}}'


def _delivery(given: Given, position: str) -> dict[str, Any]:
    delivery = given.deliveries[position]
    return {
        "token": str(Token(given.generation, delivery.attempt, position)),
        "attempt": delivery.attempt,
        "deadline_at": _deadline(delivery.deadline_at),
    }


@functools.lru_cache(maxsize=1024)
def _deadline(milliseconds: int) -> str:
    """The same for all that are leased at once."""
    return timestamp(from_milliseconds(milliseconds))


def _around(given: Given) -> dict[str, Any]:
    missed = given.skipped
    settled = {} if given.settled is None else {"settled": given.settled}
    return {
        "position": given.position,
        "generation": given.generation,
        "skipped": missed and {"from": missed.after, "to": missed.upto, "count": missed.at_most},
        "state": "active" if given.is_active else "paused",
        **settled,
    }
