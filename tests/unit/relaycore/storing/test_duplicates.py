"""Only a duplicate `_id` was stored before."""

from typing import Any

import pytest

from relaycore.storing import duplicates

OF_ID = "E11000 duplicate key error collection: relay.messages index: _id_ dup key: { _id: ObjectId('65') }"
FOREIGN = (
    "E11000 duplicate key error collection: relay.messages index: channel_1_message_1 dup key: "
    '{ channel: "orders", message: " index: _id_ dup key:" }'
)


@pytest.mark.parametrize(
    ("error", "index"),
    [
        ({"errmsg": OF_ID, "keyPattern": {"_id": 1}}, "_id_"),
        ({"errmsg": OF_ID}, "_id_"),
        ({"errmsg": FOREIGN, "keyPattern": {"channel": 1, "message": 1}}, "channel_1_message_1"),
        ({"errmsg": FOREIGN}, "channel_1_message_1"),
        ({"errmsg": "E11000", "keyPattern": {"_id": 1}}, "_id_"),
        ({"errmsg": OF_ID, "keyPattern": {"_id": -1}}, ""),
        ({"errmsg": OF_ID, "keyPattern": {"_id": 1, "channel": 1}}, ""),
        ({"errmsg": "E11000", "keyPattern": {"channel": 1}}, ""),
        ({"errmsg": "E11000"}, ""),
        ({}, ""),
    ],
)
def test_the_index_that_refuses_is_told_from_that_of_the_id(error: dict[str, Any], index: str) -> None:
    assert duplicates.offended(error) == index
    assert duplicates.is_stored_before(error) is (index == "_id_")


def test_the_reason_names_the_index_and_nothing_of_the_message() -> None:
    said = duplicates.refusal({"errmsg": FOREIGN, "keyPattern": {"channel": 1, "message": 1}})

    assert '"channel_1_message_1"' in said
    assert "the same channel, message." in said
    assert "orders" not in said
    assert duplicates.refusal({}).startswith("A unique index refuses it: another document has the same key.")
