"""MongoDB fails in every way that the driver can report: nothing lost, nothing twice, counts exact."""

from typing import Any

import pytest

from relaybase import keys

from .world import PAST_TIMEOUT_SECONDS, Failpoint, Wait, World, running

pytestmark = pytest.mark.django_db(databases=["default", "messages"])

TEXTS = [f"text {n}" for n in range(50)]
REPEATED = [*TEXTS, *TEXTS[:25]]
"""In one entry: duplicates among themselves."""

FAULTS: dict[str, dict[str, Any]] = {
    "connection closed": {"closeConnection": True},
    "shutdown in progress (91)": {"errorCode": 91},
    "primary stepped down (189)": {"errorCode": 189},
    "interrupted by a new term (11602)": {"errorCode": 11602},
    "not primary (10107)": {"errorCode": 10107},
    "disk full (14031)": {"errorCode": 14031},
    "time limit (50)": {"errorCode": 50},
    "unknown code": {"errorCode": 777777},
    "not known to be durable (64)": {"writeConcernError": {"code": 64, "errmsg": "waiting timed out"}},
    "not durable, then stepped down (91)": {"writeConcernError": {"code": 91, "errmsg": "shutting down"}},
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_the_same_messages_are_tried_again(world: World, wait_until: Wait, fault: dict[str, Any]) -> None:
    world.append(*REPEATED)
    world.append("text 3", "another one")

    with Failpoint(times=2, **fault) as failpoint, running() as run:
        wait_until(world.is_settled)
        assert failpoint.entered == 2

    world.assert_each_stored_once()
    assert run.writer.stored == len(TEXTS) + 1
    assert not world.quarantine.count_documents({})


def test_an_insert_without_an_answer_is_done_again(impatient: None, world: World, wait_until: Wait) -> None:
    """MongoDB stores it, but says so too late: only a second attempt tells."""
    world.append(*REPEATED)

    late = int(PAST_TIMEOUT_SECONDS * 3000)
    with Failpoint(times=1, blockConnection=True, blockTimeMS=late), running() as run:
        wait_until(world.is_settled)

    world.assert_each_stored_once()
    assert run.writer.stored == len(TEXTS)


def test_what_was_stored_before_is_not_counted_again(world: World, wait_until: Wait) -> None:
    world.append(*TEXTS)
    with running():
        wait_until(world.is_settled)

    world.append(*REPEATED, "new")
    fault = FAULTS["not known to be durable (64)"]
    with Failpoint(times=3, **fault), running() as run:
        wait_until(world.is_settled)

    world.assert_each_stored_once()
    assert run.writer.stored == 1


def test_both_inserts_in_flight_fail(world: World, wait_until: Wait) -> None:
    world.append_each([f"{n % 40}" for n in range(60)])

    with Failpoint(times=4, closeConnection=True) as failpoint, running():
        wait_until(world.is_settled)
        assert failpoint.entered == 4

    world.assert_each_stored_once()


def test_the_stream_waits_while_mongodb_is_away(world: World, wait_until: Wait) -> None:
    world.append(*TEXTS)

    with Failpoint(errorCode=91) as failpoint, running():
        wait_until(lambda: failpoint.entered >= 4, seconds=15)
        world.append("meanwhile")
        assert world.pending() == 1
        assert world.redis.xlen(world.stream) == 2
        assert world.redis.hlen(keys.last_at(0)) == 0
        failpoint.lift()
        wait_until(world.is_settled, seconds=15)

    world.assert_each_stored_once()


def test_nothing_is_lost_when_the_writer_stops_in_the_middle_of_a_fault(
    world: World, wait_until: Wait
) -> None:
    world.append(*TEXTS)
    with Failpoint(errorCode=189) as failpoint, running() as run:
        wait_until(lambda: failpoint.entered)
        assert run.stop() < 2
    assert world.pending() == 1

    with running():
        wait_until(world.is_settled)

    world.assert_each_stored_once()
