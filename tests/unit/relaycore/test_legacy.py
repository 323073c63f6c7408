"""The JSON for consumers of the older kind."""

import base64
import json

import pytest
from hypothesis import given

from relaycore.envelope import Encoder, timestamp
from relaycore.legacy import as_json
from tests.unit.relaycore.strategies import channels, keys, payloads

KEY = bytes(range(12))


def written(payload: bytes, channel: str = "orders") -> bytes:
    return as_json(Encoder(channel.encode()).encode(KEY, payload, timestamp(0)))


def test_text_is_written_as_it_is() -> None:
    assert written(b"hello") == (
        b'{"channel": "orders", "message": "hello", "id": "000102030405060708090a0b"}'
    )


def test_what_is_not_utf_8_is_written_as_base64_and_says_so() -> None:
    assert written(b"\xff\xfe\x00") == (
        b'{"channel": "orders", "message": "//4A", "id": "000102030405060708090a0b", "encoding": "base64"}'
    )


@pytest.mark.parametrize("text", ["", "Größe 注文 🛒", 'say "hi"', "a\\b", "one\ntwo", "a\0b", "\u2028"])
def test_any_text_stays_what_it_is(text: str) -> None:
    assert json.loads(written(text.encode(), channel="Größe/🛒")) == {
        "channel": "Größe/🛒",
        "message": text,
        "id": KEY.hex(),
    }


def test_text_is_utf_8_and_not_escaped() -> None:
    assert "Größe".encode() in written("Größe".encode())


@given(channels, keys, payloads)
def test_every_byte_can_be_got_back(channel: bytes, key: bytes, payload: bytes) -> None:
    read = json.loads(as_json(Encoder(channel).encode(key, payload, timestamp(0))))

    assert (read["channel"].encode(), bytes.fromhex(read["id"])) == (channel, key)
    if read.get("encoding") == "base64":
        assert base64.b64decode(read["message"], validate=True) == payload
    else:
        assert read["message"].encode() == payload
        assert "encoding" not in read
