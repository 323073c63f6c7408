"""What is encoded by hand is, byte for byte, what REST framework would have made of it."""

from datetime import UTC, datetime
from typing import Any

import bson
import pytest
from bson.codec_options import CodecOptions
from hypothesis import given
from hypothesis import strategies as st

from relaybase.http.hot.answers import encoded
from relaycore.delivering.leasing import Delivery, State
from relaycore.delivering.skipping import Skip
from subscribers_app.api.fetched import as_data, as_text
from subscribers_app.pulling.asked import Given

POSITION = "1763724000000-0000000000-00000"

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def document(message: str | bytes, **more: Any) -> dict[str, Any]:
    """As MongoDB's driver gives it."""
    made = {
        "_id": bson.ObjectId(b"0123456789ab"),
        "channel": 'orders "\u2028"',
        "message": message,
        "received_at": datetime(2026, 11, 26, 7, 8, 9, 123000, UTC),
        "position": POSITION,
        **more,
    }
    return bson.decode(bson.encode(made), CodecOptions(tz_aware=True))


@given(
    words | st.binary(max_size=20),
    st.none() | st.dictionaries(words.filter(lambda name: "\0" not in name), words, max_size=3),
    st.none() | words,
    st.none() | words,
    st.booleans(),
)
def test_it_is_the_same(
    message: str | bytes,
    attributes: dict[str, str] | None,
    content_type: str | None,
    produced_by: str | None,
    is_leased: bool,
) -> None:
    said = {"attributes": attributes, "content_type": content_type, "produced_by": produced_by}
    one = document(message, **{name: value for name, value in said.items() if value is not None})
    leased = Delivery(POSITION, b"0123456789ab", State.LEASED, 3, 1763724030000, 1763724000000)
    found = Given(POSITION, 2, [one, one], {POSITION: leased} if is_leased else {})

    assert encoded(as_text(found)) == encoded(as_data(found))


@pytest.mark.parametrize(
    "found",
    [
        Given(POSITION, 1),
        Given(POSITION, 1, is_active=False),
        Given(POSITION, 7, [document("{}")], skipped=Skip("1", "2", 3)),
    ],
)
def test_what_stands_around_the_messages_is_the_same(found: Given) -> None:
    assert encoded(as_text(found)) == encoded(as_data(found))


@pytest.mark.parametrize("is_leased", [False, True])
@pytest.mark.parametrize("count", [1, 50])
def test_a_large_page_is_the_same_in_pieces(count: int, is_leased: bool) -> None:
    leased = Delivery(POSITION, b"0123456789ab", State.LEASED, 3, 1763724030000, 1763724000000)
    many = [document("\u2028é\1" * 2_500)] * count
    found = Given(POSITION, 2, many, {POSITION: leased} if is_leased else {})

    pieces = encoded(as_text(found))
    assert b"".join(pieces) == b"".join(encoded(as_data(found)))
    assert len(pieces) == (count + 1) // 2
    assert as_text(found).size == sum(map(len, pieces))
