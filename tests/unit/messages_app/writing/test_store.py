"""What is sent to MongoDB when a message stands twice in a batch; MongoDB is played."""

from collections.abc import Mapping
from typing import Any

import bson
import pytest

from messages_app.writing.store import Outcome, Store
from relaycore.envelope import Encoder, timestamp


class Played:
    """A collection. `failing`: these messages fail once, for a moment; `refused`: these always, for good."""

    name = "messages"

    def __init__(self, failing: str = "", refused: str = "") -> None:
        self.database = self
        self.write_concern = self
        self.document: dict[str, Any] = {}
        self._failing, self._refused = set(failing), refused
        self.stored: dict[bytes, str] = {}
        self.sent: list[str] = []

    def command(self, command: Mapping[str, Any]) -> dict[str, Any]:
        documents = bson.decode_all(command["documents"][0].raw)
        self.sent.append("".join(document["message"] for document in documents))
        errors = []
        for index, document in enumerate(documents):
            key, message = document["_id"].binary, document["message"]
            if message in self._failing:
                self._failing.remove(message)
                errors.append({"index": index, "code": 91, "errmsg": "shutting down"})
            elif message in self._refused:
                errors.append({"index": index, "code": 121, "errmsg": "invalid"})
            elif key in self.stored:
                errors.append({"index": index, "code": 11000, "keyPattern": {"_id": 1}})
            else:
                self.stored[key] = message
        return {"writeErrors": errors}

    def find(self, *_: Any) -> list[Any]:
        return []


def insert(played: Played, messages: str) -> Outcome:
    """Each letter is a message; the capital one has the id of the small one, and another payload."""
    encoder = Encoder(b"orders")
    documents = [encoder.encode(text.lower().encode() * 12, text.encode(), timestamp(0)) for text in messages]
    collection: Any = played
    return Store(collection, lambda: False).insert_in_turn(documents)


def test_of_two_copies_the_later_one_is_not_even_sent() -> None:
    played = Played()
    assert insert(played, "abAcB").duplicates == {2, 4}
    assert played.sent == ["abc"]


@pytest.mark.parametrize("failing", ["a", "b", "ab"])
def test_a_copy_that_fails_for_a_moment_is_stored_and_not_the_later_one(failing: str) -> None:
    played = Played(failing)
    outcome = insert(played, "abAB")
    assert list(played.stored.values()) == sorted("ab", key=lambda text: text in failing)
    assert outcome.duplicates == {2, 3}
    assert played.sent == ["ab", failing]


def test_where_the_first_copy_is_refused_the_next_one_is_tried() -> None:
    played = Played(refused="a")
    outcome = insert(played, "xaAaAb")
    assert played.sent == ["xab", "A"]
    assert sorted(played.stored.values()) == ["A", "b", "x"]
    assert outcome.duplicates == {3, 4}
    assert list(outcome.refused) == [1]


def test_what_is_refused_in_all_its_copies_goes_into_quarantine_in_all_of_them() -> None:
    played = Played(refused="aA")
    outcome = insert(played, "aAaAb")
    assert list(played.stored.values()) == ["b"]
    assert sorted(outcome.refused) == [0, 1, 2, 3]
    assert outcome.duplicates == set()


def test_what_was_stored_before_is_a_duplicate_in_all_its_copies() -> None:
    played = Played()
    insert(played, "a")
    assert insert(played, "abAB").duplicates == {0, 2, 3}
