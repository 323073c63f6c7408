"""Entries of the stream, put together into one insert."""

import pytest

from messages_app.writing.batch import MOST_DELIVERIES, Batch
from messages_app.writing.store import Outcome
from messages_app.writing.stream import Entry
from relaycore.envelope import Encoder, payload_of, position_of, timestamp


def document(payload: bytes, channel: bytes = b"orders") -> bytes:
    return Encoder(channel).encode(b"k" * 12, payload, timestamp(0))


def entry(entry_id: str, *documents: bytes, reason: bytes = b"", deliveries: int = 1) -> Entry:
    fields = {b"messages": b"%d" % len(documents), b"bson": b"".join(documents)}
    return Entry(entry_id, fields | ({b"reason": reason} if reason else {}), deliveries)


def test_a_new_batch_has_nothing_to_do() -> None:
    batch = Batch()
    assert (batch.ids, batch.documents, batch.rejected, batch.unread) == ([], [], [], [])
    assert not batch.doubtful
    assert not batch.careful
    assert batch.stored(Outcome()) == []


def test_messages_of_several_entries_stand_in_the_order_of_the_stream_with_their_positions() -> None:
    batch = Batch()
    assert batch.add(entry("5-0", document(b"a"), document(b"b"))) == 2
    assert batch.add(entry("5-1", document(b"c"))) == 1

    assert batch.ids == ["5-0", "5-1"]
    assert [(position_of(each), payload_of(each)[0]) for each in batch.documents] == [
        ("0000000000005-0000000000-00000", b"a"),
        ("0000000000005-0000000000-00001", b"b"),
        ("0000000000005-0000000001-00000", b"c"),
    ]


def test_a_message_that_cannot_be_stored_goes_into_quarantine_as_it_was_with_its_position() -> None:
    batch, refused = Batch(), document(b"x")
    assert batch.add(entry("5-0", refused, reason="zu groß".encode())) == 1
    assert batch.rejected == [("0000000000005-0000000000-00000", refused, "zu groß")]
    assert batch.documents == []
    assert batch.ids == ["5-0"], "it is acknowledged all the same"
    assert batch.stored(Outcome()) == [("5-0", {})], "it is not counted as stored"


def test_a_reason_that_is_not_utf_8_does_not_stop_the_writer() -> None:
    batch = Batch()
    batch.add(entry("5-0", document(b"x"), reason=b"\xff"))
    assert batch.rejected[0][2] == "\ufffd"


@pytest.mark.parametrize(
    "bad",
    [
        Entry("5-0", {}),
        Entry("5-0", {b"messages": b"1", b"bson": b"noise"}),
        Entry("5-0", {b"messages": b"2", b"bson": document(b"a")}),
        Entry("5-18446744073709551615", {b"messages": b"1", b"bson": document(b"a")}),
    ],
    ids=["no fields", "noise", "wrong count", "an id that has no position"],
)
def test_an_entry_that_cannot_be_read_is_put_aside_whole_and_the_others_are_stored(bad: Entry) -> None:
    batch = Batch()
    batch.add(entry("4-0", document(b"before")))
    assert batch.add(bad) == 1
    batch.add(entry("6-0", document(b"after")))

    ((unread, reason),) = batch.unread
    assert unread is bad
    assert reason.startswith("The entry cannot be read: ")
    assert batch.ids == ["4-0", bad.id, "6-0"]
    assert [payload_of(each)[0] for each in batch.documents] == [b"before", b"after"]


@pytest.mark.parametrize(
    ("deliveries", "doubtful", "careful"),
    [(1, False, False), (2, True, False), (MOST_DELIVERIES, True, False), (MOST_DELIVERIES + 1, True, True)],
)
def test_what_was_delivered_before_is_doubtful_and_too_often_is_a_case_for_care(
    deliveries: int, doubtful: bool, careful: bool
) -> None:
    batch = Batch()
    batch.add(entry("5-0", document(b"a"), deliveries=deliveries))
    batch.add(entry("5-1", document(b"b")))
    assert (batch.doubtful, batch.careful) == (doubtful, careful)


def test_an_entry_weighs_its_messages_or_its_bytes() -> None:
    """So that a batch is bounded in both."""
    batch = Batch()
    assert batch.add(entry("5-0")) == 1, "acknowledging it is work as well"
    assert batch.add(entry("5-1", *[document(b"small")] * 30)) == 30
    assert batch.add(entry("5-2", document(b"x" * 1_000_000))) == 1_000_000 // 8192
    assert batch.add(entry("5-3", document(b"x"), reason=b"why")) == 1
    assert batch.add(Entry("5-4", {b"bson": b"x" * 100_000})) == 100_000 // 8192
    assert batch.add(entry("5-5", document(b"small"))) == 1


def test_counts_are_by_entry_and_channel_without_what_was_stored_before_or_refused() -> None:
    batch = Batch()
    batch.add(entry("5-0", document(b"a", b"one"), document(b"b", b"two"), document(b"c", b"two")))
    batch.add(entry("7-0", document(b"x", b"four"), reason=b"why"))
    batch.add(entry("9-0", document(b"d", b"two"), document(b"e", b"three")))

    assert batch.stored(Outcome()) == [
        ("5-0", {b"one": 1, b"two": 2}),
        ("7-0", {}),
        ("9-0", {b"two": 1, b"three": 1}),
    ]
    assert batch.stored(Outcome(duplicates={1, 4}, refused={2: "why"})) == [
        ("5-0", {b"one": 1, b"two": 0}),
        ("7-0", {}),
        ("9-0", {b"two": 1, b"three": 0}),
    ]
