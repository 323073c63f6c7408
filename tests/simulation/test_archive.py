"""Whatever happens to a stream, its writers and its stores: what is missing is on record.

And no reader steps over anything that is stored. Nor does a follower, which is told where to look by hints
that are lost, late or forged, while its readers come and go and some are slow.

`SIMULATION_EXAMPLES=10000` plays a hundred times as many schedules, and others each time.
"""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.following.places import Cursor, Horizon
from relaycore.following.reader import Following
from relaycore.position import NEVER, order
from relaycore.storing import known
from relaycore.storing.keeping import Beginning, Keeper
from relaycore.storing.known import Beside, Kept
from relaycore.storing.together import Contents

from .archive import Mongo, Redis, World
from .follower import Away, Follower
from .seeds import seeds as all_seeds
from .test_simulation import explored, seeds

Schedule = list[tuple]  # type: ignore[type-arg]

small = st.integers(1, 4)
steady = [
    st.tuples(st.just("append"), small),
    st.tuples(st.just("append"), small),
    st.tuples(st.just("run"), st.integers(1, 30)),
    st.tuples(st.just("run"), st.integers(1, 30)),
    st.just(("copy",)),
]
following = [
    st.tuples(st.just("follow"), st.integers(0, 99)),
    st.tuples(st.just("leave"), st.integers(0, 9)),
    st.tuples(st.just("forge"), st.integers(0, 9)),
]
deaths = [st.just(("kill_writer",)), st.tuples(st.just("freeze_writer"), st.integers(1, 60))]
calm = [*steady, *deaths, *following]
vanishing = [
    st.just(("delete_stream",)),
    st.tuples(st.just("trim_stream"), st.integers(1, 3)),
    st.tuples(st.just("delete_entry"), st.integers(0, 9)),
]
falling_back = [
    st.just(("evict",)),
    st.tuples(st.just("restart_redis"), st.integers(0, 4)),
    st.tuples(st.just("set_clock_back"), st.integers(1, 20_000)),
]
calm_schedules = st.lists(st.one_of(*calm), max_size=40)
vanishing_schedules = st.lists(st.one_of(*calm, *vanishing), max_size=40)
falling_schedules = st.lists(st.one_of(*calm, *vanishing, *falling_back), max_size=40)
restoring = [st.just(("restore_mongo",)), st.just(("restore_mongo_under_a_writer",))]
restored_schedules = st.lists(st.one_of(*calm, *vanishing, *restoring), max_size=40)


def play(schedule: Schedule, seed: int) -> World:
    world = World(seed)
    for name, *arguments in schedule:
        getattr(world, name)(*arguments)
        world.run(world.random.randint(0, 3))
    world.settle()
    return world


@explored
@given(schedule=calm_schedules, seed=seeds)
def test_where_nothing_vanishes_everything_is_stored_and_nothing_is_said_to_be_missing(
    schedule: Schedule, seed: int
) -> None:
    world = play(schedule, seed)
    assert not world.missing
    assert not world.holes
    assert not world.overclaimed
    assert not world.unseen()
    assert not world.unfollowed()
    assert world.follower.is_in_order()


@explored
@given(schedule=vanishing_schedules, seed=seeds)
def test_what_vanishes_is_on_record_and_readers_stop_being_sure_at_that_moment(
    schedule: Schedule, seed: int
) -> None:
    world = play(schedule, seed)
    assert not world.unrecorded()
    assert not world.overclaimed
    assert not world.unseen()
    assert not world.unfollowed()
    assert world.follower.is_in_order()


@explored
@given(schedule=st.lists(st.one_of(*steady, *vanishing), max_size=40), seed=seeds)
def test_while_no_writer_dies_nothing_else_is_on_record(schedule: Schedule, seed: int) -> None:
    world = play(schedule, seed)
    assert not world.unrecorded()
    assert not world.recorded_for_nothing()


@explored
@given(schedule=falling_schedules, seed=seeds)
def test_after_redis_has_lost_its_data_no_position_is_given_below_one_that_a_reader_has_passed(
    schedule: Schedule, seed: int
) -> None:
    world = play(schedule, seed)
    assert not world.unrecorded()
    assert not world.unseen()
    assert not world.unfollowed()
    assert world.follower.is_in_order()


@explored
@given(schedule=restored_schedules, seed=seeds)
def test_after_mongodb_was_restored_what_it_has_lost_is_stored_again_or_on_record(
    schedule: Schedule, seed: int
) -> None:
    world = play(schedule, seed)
    assert not world.unrecorded()


repeating = [
    st.tuples(st.just("publish"), small),
    st.tuples(st.just("publish_and_repeat"), small),
    *[st.tuples(st.just("repeat"), st.integers(0, 2))] * 2,
]
repeating_schedules = st.lists(st.one_of(*calm, *repeating), max_size=40)


@explored
@given(schedule=repeating_schedules, seed=seeds)
def test_what_stands_twice_on_the_stream_is_stored_once_and_where_it_stood_first(
    schedule: Schedule, seed: int
) -> None:
    world = play(schedule, seed)
    assert not world.missing
    assert not world.misplaced()
    assert not world.is_inverted()
    assert not world.holes
    assert not world.unseen()
    assert not world.unfollowed()


publishing = [
    *repeating,
    st.tuples(st.just("publish_refused"), small),
    st.tuples(st.just("lose_an_answer"), small),
]
published_schedules = st.lists(st.one_of(*calm, *publishing), max_size=40)
lost_schedules = st.lists(st.one_of(*steady, *deaths, *publishing, *vanishing, *falling_back), max_size=40)


@explored
@given(schedule=published_schedules, seed=seeds)
def test_who_waits_until_it_is_stored_is_told_so_once_it_is(schedule: Schedule, seed: int) -> None:
    world = play(schedule, seed)
    assert not world.told_wrong
    assert not world.told_gone
    assert not world.asking


@explored
@given(schedule=lost_schedules, seed=seeds)
def test_nobody_is_told_that_what_is_nowhere_is_stored(schedule: Schedule, seed: int) -> None:
    world = play(schedule, seed)
    assert not world.told_wrong


# --- controls: without one of the protections the same schedules find it ---------------------------


def searched(
    finding: Callable[[World], object], names: Sequence[str], most: int = 400, first: int = 0
) -> bool:
    """Whether one of many schedules of these operations leads to it."""
    given = {
        "run": lambda chance: (chance.randint(1, 30),),
        "append": lambda chance: (chance.randint(1, 4),),
        "trim_stream": lambda chance: (1,),
        "delete_entry": lambda chance: (chance.randint(0, 9),),
        "freeze_writer": lambda chance: (chance.randint(1, 60),),
        "restart_redis": lambda chance: (chance.randint(0, 4),),
        "set_clock_back": lambda chance: (chance.randint(1, 20_000),),
        "follow": lambda chance: (chance.randint(0, 99),),
        "publish": lambda chance: (chance.randint(1, 4),),
        "publish_and_repeat": lambda chance: (chance.randint(1, 4),),
        "publish_refused": lambda chance: (chance.randint(1, 4),),
        "lose_an_answer": lambda chance: (chance.randint(1, 4),),
        "repeat": lambda chance: (chance.randint(0, 2),),
        "leave": lambda chance: (chance.randint(0, 9),),
        "forge": lambda chance: (chance.randint(0, 9),),
    }
    for seed in all_seeds(most, first):
        chance = random.Random(seed)
        operations = [chance.choice(["append", "append", "run", *names]) for _ in range(30)]
        schedule = [(name, *given.get(name, lambda chance: ())(chance)) for name in operations]
        if finding(play(schedule, seed)):
            return True
    return False


VANISHING = ["delete_stream", "trim_stream", "delete_entry"]
FALLING = ["restart_redis", "set_clock_back", "copy"]
READERS = ["follow", "leave", "forge"]


def test_control_who_does_not_look_at_numbers_loses_unrecorded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not searched(World.unrecorded, VANISHING, most=40)
    monkeypatch.setattr(Keeper, "lacks", lambda self, upto, messages: False)
    assert searched(World.unrecorded, VANISHING)


def test_control_who_does_not_look_at_the_end_of_the_stream_loses_unrecorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Keeper, "missing_at_the_end", lambda self, beside: None)
    assert searched(World.unrecorded, VANISHING)


def test_control_numbers_that_begin_again_lose_unrecorded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not searched(World.unrecorded, ["restart_redis"], most=40)
    append = Redis.append
    monkeypatch.setattr(Redis, "append", lambda self, messages, known, _: append(self, messages, 0))
    monkeypatch.setattr(Redis, "know", lambda self, known: self.upto or 0)
    assert searched(World.unrecorded, ["restart_redis"])


def test_control_a_watermark_that_does_not_compare_numbers_claims_too_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("relaycore.storing.known.lacks", lambda beside: False)
    assert searched(lambda world: world.overclaimed, VANISHING)


@pytest.mark.parametrize(
    "names", [["repeat"], ["publish", "publish", "repeat"]], ids=["take-over", "request"]
)
def test_control_who_compares_no_ids_inverts_the_order_of_what_is_repeated(
    monkeypatch: pytest.MonkeyPatch, names: list[str]
) -> None:
    def is_wrong(world: World) -> bool:
        return bool(world.misplaced()) or world.is_inverted()

    assert not searched(is_wrong, names, most=40)
    monkeypatch.setattr(Contents, "shares_with", lambda self, other: False)
    assert searched(World.is_inverted, names)


@pytest.mark.parametrize("names", [["repeat"], ["publish_and_repeat"]], ids=["take-over", "request"])
def test_control_who_sends_both_copies_in_one_batch_inverts_their_order(
    monkeypatch: pytest.MonkeyPatch, names: list[str]
) -> None:
    assert not searched(World.is_inverted, names, most=40)
    monkeypatch.setattr(Contents, "repeats", False)
    assert searched(World.is_inverted, names)


def test_control_who_takes_the_source_of_a_request_for_a_test_inverts_the_order_of_its_repetition(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ["publish", "publish", "repeat"]
    assert not searched(World.is_inverted, names, most=40)
    monkeypatch.setattr("relaycore.storing.together._OF_A_LISTENER", re.compile(b".*"))
    assert searched(World.is_inverted, names)


def test_control_ids_that_are_not_raised_are_stepped_over(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not searched(World.unseen, FALLING, most=40)
    begin = Keeper.begin

    def go_on(self: Keeper, acknowledged: int, kept: Kept, beside: Beside) -> Beginning:
        beginning = begin(self, acknowledged, kept, beside)
        return replace(beginning, raise_to="", makes_group=True)

    monkeypatch.setattr(Keeper, "begin", go_on)
    assert searched(World.unseen, FALLING)


def test_control_what_waits_below_the_mark_and_is_not_appended_anew_is_stepped_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def raise_alone(self: Redis, epoch: int, mark: str) -> None:
        self.prepare()
        self.last_id = max(mark, self.last_id, key=order)

    monkeypatch.setattr(Redis, "raise_to", raise_alone)
    assert searched(World.unseen, FALLING)


def test_control_who_reads_what_was_appended_anew_before_all_of_it_is_stored_steps_over_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not searched(World.unseen, ["restart_redis"], most=40)
    monkeypatch.setattr("tests.simulation.archive.watermark", known._watermark)
    assert searched(World.unseen, ["restart_redis"])


def test_control_who_stores_above_the_mark_is_stepped_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Keeper, "may_store", lambda self, id: True)
    monkeypatch.setattr("relaycore.storing.keeping.AHEAD_MS", 0)
    assert searched(World.unseen, [*FALLING, "freeze_writer"])


def test_control_who_believes_a_mongodb_that_has_gone_back_loses_unrecorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not searched(World.unrecorded, ["restore_mongo", "copy"], most=40)
    begin = Keeper.begin

    def believe(self: Keeper, acknowledged: int, kept: Kept, beside: Beside) -> Beginning:
        return begin(self, 0, kept, beside)

    monkeypatch.setattr(Keeper, "begin", believe)
    assert searched(World.unrecorded, ["restore_mongo", "copy"])


def test_control_a_writer_that_wakes_and_believes_an_earlier_mongodb_loses_unrecorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    restoring = ["restore_mongo_under_a_writer", "restore_mongo", "copy", "freeze_writer"]
    assert not searched(World.unrecorded, restoring, most=40)
    monkeypatch.setattr(Redis, "is_mine", lambda self, epoch: True)
    monkeypatch.setattr(Redis, "claim", lambda self, epoch: (self.kept, self.redeliveries))
    assert searched(World.unrecorded, restoring, most=2000, first=430)


def test_control_who_acknowledges_what_was_stored_before_mongodb_went_back_loses_unrecorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    restoring = ["restore_mongo_under_a_writer", "restore_mongo", "copy", "freeze_writer", "trim_stream"]
    assert not searched(World.unrecorded, restoring, most=40)
    acknowledge, say = Redis.acknowledge, Redis.say
    monkeypatch.setattr(
        Redis,
        "acknowledge",
        lambda self, batch, stored, id, redeliveries: acknowledge(self, batch, stored, id, self.redeliveries),
    )
    monkeypatch.setattr(
        Redis, "say", lambda self, stored, id, redeliveries: say(self, stored, id, self.redeliveries)
    )
    assert searched(World.unrecorded, restoring, most=2000, first=172)


def test_control_who_writes_over_a_mongodb_that_has_gone_back_loses_unrecorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    restoring = ["restore_mongo_under_a_writer", "copy"]
    assert not searched(World.unrecorded, restoring, most=40)

    def keep(self: Mongo, kept: Kept, known: int) -> bool:
        self.kept = kept
        return True

    monkeypatch.setattr(Mongo, "keep", keep)
    assert searched(World.unrecorded, restoring)


# --- controls of who waits until it is stored ------------------------------------------------------


def told_wrong(world: World) -> object:
    return world.told_wrong


def test_control_who_does_not_look_in_quarantine_says_that_what_is_nowhere_is_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ["publish", "publish_refused", "restart_redis"]
    assert not searched(told_wrong, names, most=40)
    monkeypatch.setattr(World, "in_quarantine", lambda self, ids: set(ids))
    assert searched(told_wrong, names)


@pytest.mark.parametrize("names", [["restart_redis", "copy"], ["lose_an_answer"]], ids=["raised", "twice"])
def test_control_who_knows_its_own_by_the_position_alone_calls_it_a_duplicate(
    monkeypatch: pytest.MonkeyPatch, names: list[str]
) -> None:
    names = ["publish", *names]
    assert not searched(told_wrong, names, most=40)
    monkeypatch.setattr(
        "relaycore.publishing.standing._is_own", lambda awaited, place, position: place.position == position
    )
    assert searched(told_wrong, names)


# --- controls of the follower ------------------------------------------------------------------------


def test_control_a_follower_that_reads_on_without_a_watermark_steps_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not searched(World.unfollowed, ["freeze_writer", *READERS], most=40)
    look = Follower.look

    def look_anyway(self: Follower) -> Horizon:
        try:
            return look(self)
        except Away:
            return Horizon(":", is_sure=False, stored=NEVER)

    monkeypatch.setattr(Follower, "look", look_anyway)
    assert searched(World.unfollowed, ["freeze_writer", *READERS])


def test_control_a_follower_that_goes_on_from_the_watermark_steps_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not searched(World.unfollowed, [*FALLING, *READERS], most=40)
    # Right below it: a tail that has read up to the watermark itself is joined by nobody, so nothing goes on
    # from there.
    monkeypatch.setattr(Following, "_stored_below", lambda self, below: below.removesuffix("00000"))
    assert searched(World.unfollowed, [*FALLING, *READERS])


def test_control_a_follower_that_only_waits_for_news_misses_what_it_was_not_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("relaycore.following.reader.LOOK_SECONDS", 1e9)
    assert searched(World.unfollowed, READERS)


def test_control_who_joins_a_tail_that_is_further_steps_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def join(self: Following, cursor: Cursor, below: str) -> None:
        self._behind.pop(cursor)
        self._tail[cursor] = None
        cursor.is_at_tail = True

    monkeypatch.setattr(Following, "_come_to_the_end", join)
    assert searched(World.unfollowed, ["evict", *FALLING, *READERS])
