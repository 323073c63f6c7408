"""What is in a body: all of it, or an error that names the first message that is none."""

import base64
import contextlib
import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.errors import BadBody, BadMessage, MessageTooLarge, RelayError, TooMuchAtOnce
from relaycore.publishing.parsing import FORMS, MOST_BYTES, MOST_MESSAGES, Message, parse

MOST = 100
JSON, LINES = "application/json", "application/x-ndjson"


BAD_ITEMS = [
    None,
    1,
    "hello",
    ["message"],
    {},
    {"message": None},
    {"message": 1},
    {"message": {"a": 1}},
    {"Message": "a"},
    {"message": "a", "Id": "1"},
    {"message": "a", "key": "1"},
    {"message": "a", "id": ""},
    {"message": "a", "id": 1},
    {"message": "a", "id": "é" * 128},
    {"message": "a", "encoding": "utf-8"},
    {"message": "a", "encoding": ["base64"]},
    {"message": "a", "encoding": "base64"},
    {"message": "YQ=", "encoding": "base64"},
    {"message": "YQ==\n", "encoding": "base64"},
    {"message": "é", "encoding": "base64"},
    {"message": "a", "attributes": []},
    {"message": "a", "attributes": {"a": 1}},
    {"message": "a", "attributes": {"a": None}},
    {"message": "a", "content_type": 1},
    {"message": "a", "content_type": ""},
    {"message": "a", "content_type": "text/plain\r\nX: y"},
    {"message": "a", "content_type": " text/plain"},
    {"message": "a", "messages": []},
    {"message": "\ud800"},
    {"message": "a", "id": "\ud800"},
]

BAD_BODIES = [
    (JSON, b"", BadBody),
    (JSON, b" ", BadBody),
    (JSON, b"hello", BadBody),
    (JSON, b'{"message": "a"} x', BadBody),
    (JSON, b'{"message": "\xff"}', BadBody),
    (JSON, b'\xef\xbb\xbf{"message": "a"}', BadBody),
    (JSON, '{"message": "a"}'.encode("utf-16"), BadBody),
    (JSON, b'{"message": NaN}', BadBody),
    (JSON, b"[" * 100_000, BadBody),
    (JSON, b'{"messages": ' + b"[" * 100_000, BadBody),
    (JSON, b'{"messages": []}', BadBody),
    (JSON, b'{"messages": {}}', BadBody),
    (JSON, b'{"messages": null}', BadBody),
    (JSON, b'{"messages": [{"message": "a"}]', BadBody),
    (JSON, b'{"messages": [{"message": "a"},]}', BadBody),
    (JSON, b'{"messages": [{"message": "a"} {"message": "a"}]}', BadBody),
    (JSON, b'{"messages": [{"message": "a"}], "message": "b"}', BadBody),
    (JSON, b'{"messages": [{"message": "a"}]} x', BadBody),
    (JSON, b'{"other": 1, "messages": [{"message": "a"}]}', BadBody),
    (JSON, b'[{"message": "a"}]', BadMessage),
    (LINES, b"", BadBody),
    (LINES, b"\n\n \r\n", BadBody),
    (LINES, b'{"message": "a"}\nhello', BadMessage),
    (LINES, b'{"message": "a"}\n\xff', BadMessage),
    (LINES, b'{"message": "a"}\n' + b"[" * 100_000, BadMessage),
    (LINES, b'{"messages": [{"message": "a"}]}', BadMessage),
    (LINES, b'{"message": "a"} {"message": "b"}', BadMessage),
    ("text/plain", b"a" * (MOST + 1), MessageTooLarge),
    ("application/octet-stream", b"\0" * (MOST + 1), MessageTooLarge),
]


@pytest.mark.parametrize("item", BAD_ITEMS, ids=lambda item: json.dumps(item)[:40])
@pytest.mark.parametrize("form", ["list", "list, written otherwise", "lines", "alone"])
def test_a_message_that_is_none_is_named_by_its_index(item: Any, form: str) -> None:
    good = [{"message": "good"}] * 2
    media_type, body = {
        "list": (JSON, json.dumps({"messages": [*good, item, {"bad": 1}]})),
        # Then it is not taken apart piece by piece.
        "list, written otherwise": (
            JSON,
            json.dumps({"messages": [*good, item]}).replace('{"messages"', r'{"mes\u0073ages"', 1),
        ),
        "lines": (LINES, "\n".join(json.dumps(one) for one in [*good, item, {"bad": 1}])),
        "alone": (JSON, json.dumps(item)),
    }[form]
    if form == "alone" and isinstance(item, dict) and "messages" in item:
        pytest.skip("no message at all")

    with pytest.raises(BadMessage) as raised:
        parse(media_type, body.encode(), MOST)

    index = 0 if form == "alone" else 2
    assert raised.value.index == index
    assert f"Message {index} " in str(raised.value)


@pytest.mark.parametrize(("media_type", "body", "error"), BAD_BODIES)
def test_a_bad_body_is_refused_whole(media_type: str, body: bytes, error: type[RelayError]) -> None:
    with pytest.raises(error):
        parse(media_type, body, MOST)


@pytest.mark.parametrize(
    "item",
    [
        '{"message": "a", "message": "b"}',
        '{"message": "a", "id": "1", "id": "1"}',
        r'{"message": "a", "id": "1", "i\u0064": "2"}',
        '{"message": "a", "attributes": {"x": "1", "x": "2"}}',
        '{"message": "a", "attributes": {"x": "1"}, "attributes": {}}',
        '{"message": "a", "id": null, "id": "1", "message": "b"}',
    ],
)
def test_a_name_that_is_there_twice_is_refused(item: str) -> None:
    good = '{"message": "a", "id": "0", "attributes": {"id": "0", "message": ""}}'
    assert parse(LINES, good.encode(), MOST) == [Message(b"a", "0", {"id": "0", "message": ""})]

    for media_type, body in (
        (JSON, f'{{"messages": [{good}, {item}, {good}]}}'),
        (LINES, f"{good}\n{item}\n{good}"),
    ):
        with pytest.raises(BadMessage, match=r"Message 1 has the name '\w+' twice in one object") as raised:
            parse(media_type, body.encode(), MOST)
        assert raised.value.index == 1
    with pytest.raises(BadBody, match=r"The body has the name '\w+' twice"):
        parse(JSON, item.encode(), MOST)


@pytest.mark.parametrize("first", ['{"messages": [], ', '{"messages": 1, ', '{ "m": 1, "messages": 1, '])
def test_two_lists_are_refused(first: str) -> None:
    with pytest.raises(BadBody):
        parse(JSON, (first + '"messages": [{"message": "a"}]}').encode(), MOST)


def test_a_name_that_is_there_twice_is_said_shortened() -> None:
    name = "n" * 10_000
    with pytest.raises(BadBody) as raised:
        parse(JSON, json.dumps({"message": "a", name: 1}).replace('"message"', f'"{name}"').encode(), MOST)
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize("media_type", ["text/plain", "application/octet-stream"])
@pytest.mark.parametrize("payload", [b"", b"a\n", b"\xff\x00", b"\xef\xbb\xbf", b'{"message": "a"}'])
def test_a_payload_is_taken_byte_for_byte(media_type: str, payload: bytes) -> None:
    assert parse(media_type, payload, MOST) == [Message(payload)]


def test_everything_that_may_be_said_of_a_message() -> None:
    said = {
        "message": base64.b64encode(b"\xff\x00").decode(),
        "encoding": "base64",
        "id": "é",
        "attributes": {"kind": "x", "": "y"},
        "content_type": "image/png; a=b",
    }

    assert parse(JSON, json.dumps(said).encode(), MOST) == [
        Message(b"\xff\x00", "é", {"kind": "x", "": "y"}, "image/png; a=b")
    ]


def test_null_is_nothing_said() -> None:
    said = dict.fromkeys(("id", "encoding", "attributes", "content_type")) | {"message": "a"}

    assert parse(JSON, json.dumps(said).encode(), MOST) == [Message(b"a")]


@pytest.mark.parametrize("media_type", [JSON, LINES])
def test_a_payload_that_is_too_large_is_named(media_type: str) -> None:
    items = [{"message": "a" * MOST}, {"message": "é" * (MOST // 2 + 1), "id": "1"}]
    body = json.dumps({"messages": items}) if media_type == JSON else "\n".join(map(json.dumps, items))

    with pytest.raises(MessageTooLarge) as raised:
        parse(media_type, body.encode(), MOST)

    assert raised.value.index == 1


@pytest.mark.parametrize(
    ("media_type", "form"),
    [(JSON, lambda m: json.dumps({"messages": m})), (LINES, lambda m: "\n".join(map(json.dumps, m)))],
)
def test_no_more_messages_than_may_be(media_type: str, form: Callable[[list[Any]], str]) -> None:
    most = [{"message": "a"}] * MOST_MESSAGES

    assert len(parse(media_type, form(most).encode(), MOST)) == MOST_MESSAGES
    with pytest.raises(TooMuchAtOnce):
        parse(media_type, form([*most, {"message": "a"}]).encode(), MOST)


_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_items = st.fixed_dictionaries(
    {"message": _texts},
    optional={"id": _texts.filter(bool), "attributes": st.dictionaries(_texts, _texts, max_size=3)},
)


@given(st.lists(_items, min_size=1, max_size=5), st.booleans(), st.sampled_from([None, 1]))
def test_what_is_written_is_what_is_read(items: list[Any], as_ascii: bool, indent: int | None) -> None:
    def dumped(value: Any, **more: Any) -> bytes:
        return json.dumps(value, ensure_ascii=as_ascii, **more).encode()

    wanted = [Message(item["message"].encode(), item.get("id"), item.get("attributes", {})) for item in items]
    assert parse(JSON, dumped({"messages": items}, indent=indent), 1000) == wanted
    assert parse(LINES, b"\r\n".join(map(dumped, items)), 1000) == wanted
    assert parse(JSON, dumped(items[0], indent=indent), 1000) == wanted[:1]


_nearly_json = st.text(alphabet='{}[]",: mesag\\ud8\n').map(str.encode)


@given(st.sampled_from(sorted(FORMS)), st.binary(max_size=200) | _nearly_json)
def test_nothing_raises_anything_else(media_type: str, body: bytes) -> None:
    with contextlib.suppress(BadBody, BadMessage, TooMuchAtOnce):
        parse(media_type, body, MOST)


@pytest.mark.parametrize(
    ("before", "what", "after"),
    [
        ('{"message": "a", "id": [', "[],", "[]]}"),
        ('{"message": "a", "id": [', "[[]],", "[]]}"),
        ('{"message": "a", "id": [', "{},", "{}]}"),
        ('{"message": "a", "id": [', '"\\u1234",', '""]}'),
        ('{"message": "a", "id": {"a": [', "[],", "[]]}}"),
        ('{"messages": [{"message": "a"}, {"message": "a", "id": [', "[],", "[]]}]}"),
        ('{"messages": [{"message": "a"}, [', "[],", "[]]]}"),
        ("[", "[],", "[]]"),
    ],
)
@pytest.mark.parametrize("form", [JSON, LINES])
def test_what_is_no_message_takes_no_memory(form: str, before: str, what: str, after: str) -> None:
    room = MOST_BYTES - len(before) - len(after)
    body = (before + what * (room // len(what)) + after).encode()
    assert peak(form, body) < 3 * MOST_BYTES


@pytest.mark.parametrize("members", ['{"message": "a"%s}', '{"message": "a", "attributes": {"a": ""%s}}'])
@pytest.mark.parametrize("form", [JSON, LINES])
def test_too_many_members_take_no_memory(form: str, members: str) -> None:
    body = (members % "".join(f', "{number}": ""' for number in range(1_000_000))).encode()
    assert peak(form, body) < 3 * MOST_BYTES


def peak(form: str, body: bytes) -> int:
    """How much it takes at most to see that this is refused."""
    tracemalloc.start()
    try:
        with pytest.raises((BadBody, BadMessage)):
            parse(form, body, MOST_BYTES)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("message", ["a" * (1 << 20), "\n" * (1 << 20), '{"a": [1, {"b": "\\""}]}' * 50_000])
def test_a_large_message_is_taken_whatever_is_in_it(message: str) -> None:
    said = {
        "message": message,
        "id": "{[",
        "attributes": {f"}}{number}": message[:200] for number in range(64)},
    }
    for body in (json.dumps(said), json.dumps({"messages": [said, said]}), json.dumps(said, indent=100)):
        for found in parse(JSON, body.encode(), MOST_BYTES):
            assert found.payload == message.encode()
            assert found.attributes == said["attributes"]


def test_what_is_wrong_behind_much_is_named_where_it_stands() -> None:
    good, bad = '{"message": "a"}', '{"message" "a"}'
    body = f'{{"messages": [{bad}, {", ".join([good] * 9999)}]}}'
    with pytest.raises(BadBody, match=rf"Expecting ':' delimiter.*char {body.index(bad) + 11}\b"):
        parse(JSON, body.encode(), MOST)
