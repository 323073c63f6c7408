"""The markers that cut the common order of a Redis node into pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.ticks import Tick

numbers = st.integers(0, 2**63 - 1)
run_ids = st.text("0123456789abcdef", min_size=40, max_size=40)
ticks = st.builds(Tick, number=numbers, epoch=numbers, confirmed=numbers, run_id=run_ids)

RUN_ID = "0123456789abcdef0123456789abcdef01234567"


@given(ticks)
def test_what_the_leader_publishes_is_read(tick: Tick) -> None:
    wire = f"{tick.number} {tick.epoch} {tick.confirmed} {tick.run_id}".encode()
    assert Tick.parse(wire) == tick


def test_the_order_on_the_wire_is_number_epoch_confirmed_run_id() -> None:
    assert Tick.parse(f"42 7 41 {RUN_ID}".encode()) == Tick(number=42, epoch=7, confirmed=41, run_id=RUN_ID)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"hello",
        b"1 2 3",
        b"1 2 3 ",
        b"1 2 3 run 4",
        b"1  2 3 run",
        b" 1 2 3 run",
        b"1 2 3 run ",
        b"1 2 3 run\n",
        b"1\t2 3 run",
        b"-1 2 3 run",
        b"+1 2 3 run",
        b"1_0 2 3 run",
        b"1.0 2 3 run",
        b"0x1 2 3 run",
        b"one 2 3 run",
        b"1 two 3 run",
        b"1 2 three run",
        b"1 2 3 \xff",
        b"1 2 3 r\x00n",
        b"1" * 20 + b" 2 3 run",
        b"1" * 5000 + b" 2 3 run",
    ],
    ids=lambda payload: repr(payload[:20]),
)
def test_what_is_not_a_tick_is_none_and_not_an_error(payload: bytes) -> None:
    assert Tick.parse(payload) is None


@given(st.binary(max_size=50))
def test_anybody_may_publish_anything(payload: bytes) -> None:
    tick = Tick.parse(payload)
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
