"""The markers that cut the common order of a Redis node into pieces."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.capturing.policies import Changes
from relaycore.capturing.ticks import LEADING, LEAVING, LEFT, Tick, missed_at_most, pack, seal
from relaycore.policy import CONTENT, EVERY, Policy
from tests.unit.relaycore.strategies import channels

numbers = st.integers(0, 2**63 - 1)
run_ids = st.text("0123456789abcdef", min_size=40, max_size=40)
policies = st.sampled_from([CONTENT, EVERY, Policy("field", "id"), Policy("field", "a b")])
changes = st.lists(st.tuples(channels, policies), max_size=3).map(tuple)
ticks = st.builds(
    Tick,
    number=numbers,
    epoch=numbers,
    confirmed=numbers,
    run_id=run_ids,
    state=st.sampled_from([LEADING, LEAVING, LEFT]),
    at=numbers,
    calls=numbers | st.just(-1),
    changes=changes,
)

KEY = b"key"


def sealed(body: bytes) -> bytes:
    return body + b" " + seal(body, KEY)


RUN_ID = "0123456789abcdef0123456789abcdef01234567"


@given(ticks)
def test_what_the_leader_publishes_is_read(tick: Tick) -> None:
    numbers = f"{tick.number} {tick.epoch} {tick.confirmed}"
    body = f"{numbers} {tick.state} {tick.at} {tick.calls} {tick.run_id} ".encode() + pack(tick.changes)
    assert Tick.parse(sealed(body), KEY) == tick
    assert Tick.parse(body + b" " + seal(body, b"another key"), KEY) is None
    assert Tick.parse(body, KEY) is None


def test_the_order_on_the_wire() -> None:
    assert Tick.parse(sealed(f"42 7 41 left 5 6 {RUN_ID} -".encode()), KEY) == Tick(
        number=42, epoch=7, confirmed=41, state=LEFT, at=5, calls=6, run_id=RUN_ID
    )


def test_what_changes_is_packed_without_spaces_and_read_again() -> None:
    assert pack(()) == b"-"
    several: Changes = ((b"two words", EVERY), ("gr\u00fc\u00df".encode(), Policy("field", "a b")))
    assert b" " not in pack(several)
    tick = Tick.parse(sealed(b"1 2 3 leading 4 5 run " + pack(several)), KEY)
    assert tick is not None
    assert tick.changes == several


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"hello",
        b"1 2 3 leading 4 5",
        b"1 2 3 leading 4 5 ",
        b"1 2 3 leading 4 5 run",
        b"1 2 3 leading 4 5 run ",
        b"1 2 3 leading 4 5 run - 6",
        b"1  2 3 leading 4 5 run -",
        b" 1 2 3 leading 4 5 run -",
        b"1 2 3 leading 4 5 run - ",
        b"1 2 3 leading 4 5 run -\n",
        b"1\t2 3 leading 4 5 run -",
        b"-1 2 3 leading 4 5 run -",
        b"+1 2 3 leading 4 5 run -",
        b"1_0 2 3 leading 4 5 run -",
        b"1.0 2 3 leading 4 5 run -",
        b"0x1 2 3 leading 4 5 run -",
        b"one 2 3 leading 4 5 run -",
        b"1 two 3 leading 4 5 run -",
        b"1 2 three leading 4 5 run -",
        b"1 2 3 lead 4 5 run -",
        b"1 2 3 leading -1 5 run -",
        b"1 2 3 leading 4 -2 run -",
        b"1 2 3 leading 4 5 \xff -",
        b"1 2 3 leading 4 5 r\x00n -",
        b"1 2 3 leading 4 5 run --",
        b"1 2 3 leading 4 5 run [[]]",
        b"1" * 20 + b" 2 3 leading 4 5 run -",
        b"1" * 5000 + b" 2 3 leading 4 5 run -",
    ],
    ids=lambda payload: repr(payload[:30]),
)
def test_what_is_not_a_tick_is_none_and_not_an_error(payload: bytes) -> None:
    assert Tick.parse(sealed(payload), KEY) is None


def test_a_seal_is_the_hash_that_a_script_in_redis_computes() -> None:
    """`redis.sha1hex('k' .. 'a tick' .. 'k')`."""
    assert seal(b"a tick", b"k") == hashlib.sha1(b"ka tickk").hexdigest().encode()


@given(st.binary(max_size=50))
def test_anybody_may_publish_anything(payload: bytes) -> None:
    tick = Tick.parse(sealed(payload), KEY)
    assert tick is None or min(tick.number, tick.epoch, tick.confirmed) >= 0


@given(ticks, ticks)
def test_a_name_is_number_and_run_id_and_nothing_else(one: Tick, other: Tick) -> None:
    is_same = (one.number, one.run_id) == (other.number, other.run_id)
    assert (one.name == other.name) == is_same


def test_a_restarted_redis_and_a_new_leader_give_other_names_only_where_they_must() -> None:
    tick = Tick(number=42, epoch=7, confirmed=41, run_id="a")
    assert tick.name == b"a 42"
    assert Tick(42, 8, 0, "a").name == tick.name, "all leaders count with the same counter"
    assert Tick(42, 7, 41, "b").name != tick.name
    assert Tick(43, 7, 41, "a").name != tick.name


# --- what was published between two ticks ------------------------------------------------


def at(number: int, calls: int, run_id: str = "a") -> Tick:
    return Tick(number, 1, 0, run_id, LEADING, 0, calls)


def test_what_was_published_between_two_ticks_is_bounded_without_the_ticks() -> None:
    assert missed_at_most(at(10, 1000), at(11, 1001)) == 0
    assert missed_at_most(at(10, 1000), at(13, 1053)) == 50


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (at(10, 1000), at(11, 1001, "b")),
        (at(10, -1), at(11, 5)),
        (at(10, 5), at(11, -1)),
        (at(10, 9), at(11, 3)),
        (at(10, 5), at(60, 25)),
        (at(10, 5), at(9, 25)),
    ],
    ids=[
        "restarted",
        "not known before",
        "not known after",
        "set back",
        "fewer than ticks",
        "ticks set back",
    ],
)
def test_where_redis_did_not_count_on_nothing_is_known(before: Tick, after: Tick) -> None:
    assert missed_at_most(before, after) is None
