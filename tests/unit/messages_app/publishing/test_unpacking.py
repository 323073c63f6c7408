"""Bodies that gzip has packed, in one piece or in several."""

import asyncio
import gzip

import pytest

from channels_app.remembering import KnownChannel
from messages_app.publishing.taking import Body, Chance, Producer, take
from relaycore.errors import BadBody, TooMuchAtOnce
from relaycore.policy import EVERY
from relaycore.publishing.parsing import MOST_BYTES, MOST_MESSAGES

CHANNEL = KnownChannel(1, "orders", 0, EVERY, listen=False, republish=False)

ONE = gzip.compress(b'{"message": "a"}\n', mtime=0)
OTHER = gzip.compress(b'{"message": "b"}\n', mtime=0)
NOTHING = gzip.compress(b"", mtime=0)


def payloads_of(content: bytes) -> list[bytes]:
    body = Body("application/x-ndjson", content, is_packed=True, key=None)
    return asyncio.run(take(body, CHANNEL, Producer("token:1", "shop"), Chance())).payloads


@pytest.mark.parametrize(
    ("content", "payloads"),
    [
        (ONE, [b"a"]),
        (ONE + OTHER, [b"a", b"b"]),
        (NOTHING + ONE + NOTHING + OTHER + NOTHING, [b"a", b"b"]),
        (ONE + b"\0" * 600, [b"a"]),
        (OTHER * MOST_MESSAGES, [b"b"] * MOST_MESSAGES),
    ],
    ids=["one", "two", "empty between them", "filled up", "each message by itself"],
)
def test_every_piece_is_unpacked(content: bytes, payloads: list[bytes]) -> None:
    assert payloads_of(content) == payloads


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\0", id="only filled up"),
        pytest.param(ONE[:-1], id="cut in its end"),
        pytest.param(ONE[:5], id="cut in its head"),
        pytest.param(ONE[:-8] + bytes(8), id="another checksum"),
        pytest.param(ONE + b"more", id="something behind it"),
        pytest.param(ONE + OTHER[:-1], id="the second one cut"),
        pytest.param(ONE + b"\0" + OTHER, id="filled up between them"),
    ],
)
def test_what_gzip_does_not_pack_is_refused(content: bytes) -> None:
    with pytest.raises(BadBody, match="not what gzip packs"):
        payloads_of(content)


def test_pieces_without_end_are_refused() -> None:
    """They have no size once they are unpacked, and each takes its time."""
    with pytest.raises(TooMuchAtOnce, match="more than 10000 pieces"):
        payloads_of(NOTHING * (MOST_MESSAGES + 1))


def test_what_is_too_large_in_all_is_refused() -> None:
    half = gzip.compress(b" " * (MOST_BYTES // 2), mtime=0)

    with pytest.raises(BadBody, match="no message"):
        payloads_of(half + half)
    with pytest.raises(TooMuchAtOnce, match="once it is unpacked"):
        payloads_of(half + half + ONE)
