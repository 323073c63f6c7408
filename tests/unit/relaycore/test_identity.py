"""The deduplication key: what makes two messages the same, byte for byte."""

import hashlib
import json
import math
import random
import struct
import sys
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from relaycore.identity import (
    KEY_BYTES,
    Clock,
    EveryKey,
    Key,
    canonical_field,
    content_key,
    field_key,
    make_key,
    make_published_key,
    published_key,
)
from relaycore.policy import CONTENT, EVERY, Policy
from tests.unit.relaycore.strategies import channels, json_values, payloads

BY_ID = Policy("field", "id")


def as_documented(*parts: bytes) -> bytes:
    """The hash of these bytes, one after another."""
    return hashlib.blake2b(b"".join(parts), digest_size=12).digest()


def keys_of(policy: Policy, channel: bytes = b"orders", tick: bytes = b"run 1") -> Key:
    return make_key(policy, channel, Clock(tick))


def by_id(value: Any, **others: Any) -> bytes:
    """The key of a message with this id."""
    return keys_of(BY_ID)(json.dumps({"id": value, **others}).encode())


def test_the_keys_on_disk_never_change() -> None:
    # Made with another program: printf 'c\0\\6ordershello' | b2sum -l 96
    every = keys_of(EVERY, "Größe".encode(), b"0123abc 42")
    assert content_key(b"orders")(b"hello").hex() == "293d27268bb77691c6b4585a"
    assert field_key(b"orders", "id")(b'{"id": 7}').hex() == "7298d4f261f9c35addac3654"
    assert every(b"\xff").hex() == "499accdd7f9939d46d9b49cc"
    assert every(b"\xff").hex() == "769a644c05c51c043937ccca"


@given(channels, payloads)
def test_content_is_the_hash_of_channel_and_payload(channel: bytes, payload: bytes) -> None:
    expected = as_documented(b"c", struct.pack(">H", len(channel)), channel, payload)
    assert keys_of(CONTENT, channel)(payload) == expected
    assert len(expected) == KEY_BYTES


@given(channels, st.integers() | st.text())
def test_field_is_the_hash_of_channel_and_canonical_json(channel: bytes, value: int | str) -> None:
    canonical = json.dumps(value).encode("ascii")
    expected = as_documented(b"f", struct.pack(">H", len(channel)), channel, canonical)
    assert keys_of(BY_ID, channel)(json.dumps({"id": value, "other": 1}).encode()) == expected


@given(channels, st.binary(max_size=20), st.lists(payloads, max_size=12))
def test_every_is_the_hash_of_channel_tick_count_and_payload(
    channel: bytes, tick: bytes, heard: list[bytes]
) -> None:
    key = keys_of(EVERY, channel, tick)
    for index, payload in enumerate(heard):
        count = struct.pack(">Q", heard[: index + 1].count(payload))
        head = (b"e", struct.pack(">H", len(channel)), channel, tick, b" ")
        assert key(payload) == as_documented(*head, count, payload)


# --- published ---------------------------------------------------------------------------


def test_the_keys_of_what_is_published_never_change() -> None:
    # Made with another program: printf 'p\0\\7billing\0\\6orders\0\0\0\\3k-1' | b2sum -l 96
    assert published_key(b"billing", b"orders", b"k-1").hex() == "8288a84a6d602bc8eac113cd"


parts = st.tuples(st.binary(max_size=6), st.binary(max_size=6), st.binary(max_size=6))


@given(parts, parts)
def test_producer_channel_and_idempotency_key_are_the_identity(
    one: tuple[bytes, bytes, bytes], other: tuple[bytes, bytes, bytes]
) -> None:
    assert (published_key(*one) == published_key(*other)) == (one == other)


def test_where_a_part_ends_matters() -> None:
    assert published_key(b"ab", b"c", b"d") != published_key(b"a", b"bc", b"d")
    assert published_key(b"a", b"bc", b"d") != published_key(b"a", b"b", b"cd")


@given(channels, payloads, payloads)
def test_what_is_published_under_one_idempotency_key_is_one_message(
    channel: bytes, payload: bytes, other: bytes
) -> None:
    key = make_published_key(EVERY, channel, b"billing")
    assert key(payload, b"k-1") == key(other, b"k-1") == published_key(b"billing", channel, b"k-1")
    assert key(payload, b"k-1") != key(payload, b"k-2")
    assert key(payload, b"k-1") != make_published_key(EVERY, channel, b"orders")(payload, b"k-1")


@given(channels, st.one_of(payloads, json_values.map(lambda value: json.dumps({"id": value}).encode())))
def test_under_the_other_policies_the_policy_alone_decides(channel: bytes, payload: bytes) -> None:
    for policy in (CONTENT, BY_ID):
        published = make_published_key(policy, channel, b"billing")
        assert published(payload, b"k-1") == published(payload, b"k-2") == keys_of(policy, channel)(payload)


@given(st.binary(max_size=40), channels, st.binary(max_size=40))
def test_no_key_of_what_is_heard_is_one_of_what_is_published(
    producer: bytes, channel: bytes, idempotency_key: bytes
) -> None:
    said = [len(producer).to_bytes(2), producer, len(channel).to_bytes(2), channel]
    said += [len(idempotency_key).to_bytes(4), idempotency_key]
    assert published_key(producer, channel, idempotency_key) == as_documented(b"p", *said)


# --- content -----------------------------------------------------------------------------


@given(st.tuples(channels, payloads), st.tuples(channels, payloads))
def test_two_messages_are_the_same_if_channel_and_payload_are(
    one: tuple[bytes, bytes], other: tuple[bytes, bytes]
) -> None:
    (channel, payload), (other_channel, other_payload) = one, other
    same_key = keys_of(CONTENT, channel)(payload) == keys_of(CONTENT, other_channel)(other_payload)
    assert same_key == (one == other)


@given(st.binary(min_size=2, max_size=40), st.data())
@pytest.mark.parametrize("policy", [CONTENT, EVERY, BY_ID], ids=str)
def test_where_the_channel_ends_and_the_payload_begins_matters(
    policy: Policy, both: bytes, data: st.DataObject
) -> None:
    cut, other_cut = data.draw(st.lists(st.integers(1, len(both)), min_size=2, max_size=2, unique=True))
    one = keys_of(policy, both[:cut])(both[cut:])
    assert one != keys_of(policy, both[:other_cut])(both[other_cut:])


@given(channels, payloads)
def test_a_key_stays_the_same_however_often_it_is_asked_for(channel: bytes, payload: bytes) -> None:
    key = content_key(channel)
    assert len({key(payload), key(payload + b"x"), key(payload)}) == 2


# --- field -------------------------------------------------------------------------------

SAME = [
    (b'{"id":1}', b' {\n"other": [1, 2],\t"id" : 1 } '),
    (b'{"id":{"a":1,"b":{"c":2,"d":[3]}}}', b'{"id":{"b":{"d":[3],"c":2},"a":1}}'),
    ('{"id":"é"}'.encode(), b'{"id":"\\u00e9"}'),
    ('{"id":"😀"}'.encode(), b'{"id":"\\ud83d\\ude00"}'),
    (b'{"id":1.0}', b'{"id":10e-1}'),
    (b'{"id":0}', b'{"id":-0}'),
    (b'{"id":"x"}', b'\xef\xbb\xbf{"id":"x"}'),  # a byte order mark, which some libraries write
    (b'{"id":2}', b'{"id":1,"id":2}'),  # the last one counts, as in most JSON readers
    (b'{"id":1}', b'{"id":1,"t":NaN}'),  # Python writes it; the id is there all the same
]

DIFFERENT = [
    b'{"id":1}',
    b'{"id":1.0}',
    b'{"id":"1"}',
    b'{"id":true}',
    b'{"id":false}',
    b'{"id":0}',
    b'{"id":""}',
    b'{"id":[1]}',
    b'{"id":[1,2]}',
    b'{"id":[2,1]}',
    b'{"id":[[1,2]]}',
    b'{"id":[]}',
    b'{"id":{}}',
    b'{"id":{"1":1}}',
    b'{"id":{"1":"1"}}',
    b'{"id":"[1]"}',
    b'{"id":"true"}',
    b'{"id":12345678901234567890123}',
    b'{"id":12345678901234567890124}',
    b'{"id":"\\u00e9"}',
    b'{"id":"e\\u0301"}',  # looks the same
    b'{"id":"\\ud800"}',
]

WITHOUT_THE_FIELD = [
    b"",
    b"hello",
    b"\xff\xfe\xff",
    b'{"id":1',
    b'{"id":1}}',
    b"{'id':1}",
    b"1",
    b'"id"',
    b'["id"]',
    b'[{"id":1}]',
    b'{"ID":1}',
    b'{"other":{"id":1}}',
    b"{}",
    b'{"id":null}',
    b'{"id":NaN}',
    b'{"id":[1,-Infinity]}',
    b'{"id":1e999}',  # no double is so large
    b'{"id":' + b"1" * 5000 + b"}",
    b'{"id":1,"other":' + b"1" * 5000 + b"}",
    b'{"id":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"id":1,"other":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"id":' + b'{"id":' * 100_000 + b"1" + b"}" * 100_001,
    b"[" * 100_000,
]


def shown(payload: bytes) -> str:
    return repr(payload[:24])[1:]


@pytest.mark.parametrize(("one", "other"), SAME, ids=shown)
def test_values_that_json_takes_for_equal_are_the_same(one: bytes, other: bytes) -> None:
    assert keys_of(BY_ID)(one) == keys_of(BY_ID)(other)
    assert keys_of(BY_ID)(one) != content_key(b"orders")(one), "it was not read at all"


def test_values_that_json_tells_apart_are_different() -> None:
    keys = {keys_of(BY_ID)(payload) for payload in DIFFERENT}
    by_content = {content_key(b"orders")(payload) for payload in DIFFERENT}
    assert len(keys) == len(DIFFERENT)
    assert not keys & by_content, "one was not read at all"


@pytest.mark.parametrize("payload", WITHOUT_THE_FIELD, ids=shown)
def test_a_message_without_the_field_is_identified_by_its_content(payload: bytes) -> None:
    assert keys_of(BY_ID)(payload) == content_key(b"orders")(payload)


@given(json_values, json_values)
def test_only_the_field_matters(value: Any, other: Any) -> None:
    assume(value is not None)
    assert by_id(value) == by_id(value, other=other)


@given(json_values, json_values)
def test_two_values_are_the_same_if_their_json_is(one: Any, other: Any) -> None:
    def written(value: Any) -> str:
        return json.dumps(value, sort_keys=True)

    assume(one is not None)
    assume(other is not None)
    assert (by_id(one) == by_id(other)) == (written(one) == written(other))


def shuffled(value: Any, chance: random.Random) -> Any:
    """The same JSON value with the members of its objects in another order."""
    if isinstance(value, dict):
        members = [(name, shuffled(inner, chance)) for name, inner in value.items()]
        chance.shuffle(members)
        return dict(members)
    return [shuffled(inner, chance) for inner in value] if isinstance(value, list) else value


@given(json_values, st.randoms(use_true_random=False), st.booleans())
def test_order_of_members_spaces_and_escapes_do_not_matter(
    value: Any, chance: random.Random, escaped: bool
) -> None:
    one = json.dumps({"id": value, "a": 1}, ensure_ascii=False, indent=1)
    other = json.dumps(shuffled({"id": value, "a": 1}, chance), ensure_ascii=escaped)
    assert canonical_field(one.encode(), "id") == canonical_field(other.encode(), "id")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_with_a_fraction_are_compared_as_doubles(number: float) -> None:
    assert by_id(number) == keys_of(BY_ID)(f'{{"id":{number:.17e}}}'.encode())
    above = math.nextafter(number, math.inf)
    assert math.isinf(above) or by_id(number) != by_id(above)


@given(payloads | json_values.map(lambda value: json.dumps(value).encode()), st.text(min_size=1, max_size=5))
def test_any_payload_has_a_key(payload: bytes, field: str) -> None:
    assert len(keys_of(Policy("field", field))(payload)) == KEY_BYTES


def test_a_field_and_a_content_that_look_alike_are_different() -> None:
    assert keys_of(BY_ID)(b'{"id":1}') != content_key(b"orders")(b"1")


# --- every -------------------------------------------------------------------------------


@given(channels, payloads, st.integers(1, 50))
def test_n_equal_messages_in_one_tick_are_n_messages(channel: bytes, payload: bytes, n: int) -> None:
    key = keys_of(EVERY, channel)
    assert len({key(payload) for _ in range(n)}) == n


@given(st.lists(payloads, max_size=20), st.randoms(use_true_random=False))
def test_the_count_of_a_message_does_not_depend_on_the_others(
    heard: list[bytes], chance: random.Random
) -> None:
    other_order = chance.sample(heard, len(heard))
    assert sorted(map(keys_of(EVERY), heard)) == sorted(map(keys_of(EVERY), other_order))


def test_the_same_message_in_another_tick_is_another_message() -> None:
    clock = Clock(b"run 1")
    key = EveryKey(b"orders", clock)
    keys = []
    for tick in (b"run 1", b"run 2", b"run 11", b"other 1"):
        clock.tick = tick
        keys += [key(b"x"), key(b"x")]
    assert len(set(keys)) == 8


def test_counting_begins_anew_with_each_tick() -> None:
    clock = Clock(b"run 1")
    key = EveryKey(b"orders", clock)
    key(b"x"), key(b"x")
    clock.tick = b"run 2"
    assert key(b"x") == keys_of(EVERY, tick=b"run 2")(b"x")


def test_channels_share_the_tick_but_not_the_count() -> None:
    clock = Clock(b"run 1")
    one, other = EveryKey(b"one", clock), EveryKey(b"other", clock)
    assert one(b"x") != other(b"x")
    assert one(b"x") == [key := keys_of(EVERY, b"one"), key(b"x"), key(b"x")][-1]


def test_a_key_depends_on_the_channel_even_before_there_is_a_tick() -> None:
    clock = Clock(b"")
    assert EveryKey(b"one", clock)(b"x") != EveryKey(b"other", clock)(b"x")


@pytest.mark.parametrize("size", [1024, 1025, 100_000])
def test_long_messages_are_counted_as_well(size: int) -> None:
    one, other = bytes(size), bytes(size - 1) + b"x"
    key = keys_of(EVERY)
    assert len({key(one), key(other), key(one), key(other)}) == 4
    assert key(one) == as_documented(b"e\x00\x06orders", b"run 1 ", struct.pack(">Q", 3), one)


def test_a_long_message_is_not_kept_in_memory_while_its_channel_is_silent() -> None:
    payload = random.Random(0).randbytes(100_000)
    key = keys_of(EVERY)
    before = sys.getrefcount(payload)
    key(payload)
    assert sys.getrefcount(payload) == before
