"""Whatever goes wrong: what is owed to a subscription is handed out until it is done, or is on record.

`watch` has the promises. `SIMULATION_EXAMPLES=10000` plays a hundred times as many schedules, and others each
time.
"""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulation.test_simulation import EXAMPLES, explored, seeds

from .world import BACK_MS, READERS, World

CAUSES = ("retention", "expired", "seek", "skip", "drop")
HAPPENED = {
    *CAUSES,
    "died of its deadline",
    "died, given back",
    "leased again",
    "leased what was redriven",
    "late, and counts",
    "late, and somebody else had it",
    "from before a seek",
    "sought back",
    "dead above the cursor",
    "chosen anew",
    "chosen by what was so before",
    "answers got lost",
    "nothing more",
    "has waited",
    "others are looked for",
    "somebody else has stepped",
    "committed with a fetch",
    "decided by a row as it was left",
    "a row was not as it was left",
}

HAPPENED_THERE = {
    "made anew",
    "from one of before under its name",
    "a page was cut",
    "leased only once there is room",
}

Schedule = list[tuple]  # type: ignore[type-arg]

much_explored = settings(explored, max_examples=4 * EXAMPLES)

any_one = st.integers(0, 9)
steady = [
    *[st.tuples(st.just("append"), st.integers(1, 4))] * 3,
    *[st.tuples(st.just("run"), st.integers(1, 40))] * 3,
]
dying = [st.tuples(st.just("kill"), any_one)]
retaining = [st.tuples(st.just("retain"), st.integers(1, 5))]
watermarks = [st.just(("forget_watermark",)), st.tuples(st.just("drop_watermark"), st.integers(0, 99))]
clocks = [
    st.tuples(st.just("jump"), st.sampled_from([-BACK_MS, BACK_MS, -3000, 5000])),
    st.tuples(st.just("stand"), st.integers(100, 3000)),
]
operating = [
    st.tuples(st.just("seek"), any_one, st.integers(0, 999)),
    st.tuples(st.just("choose_anew"), any_one, any_one),
    *[st.tuples(st.just("redrive"), any_one)] * 4,
    *[st.tuples(st.just(name), any_one, any_one) for name in ("drop", "skip")] * 2,
    st.tuples(st.just("pause"), any_one),
    st.tuples(st.just("resume"), any_one),
]
# Apart from the others: one that is made anew has no dead letters to do something about.
crowding = [st.tuples(st.just("crowd"), any_one)] * 2
making = [st.tuples(st.just("make_anew"), any_one, any_one)]
# Where one attempt is all there is, there are dead letters to do something about.
names = st.sampled_from([*(one.name for one in READERS), *["once", "keyed once"] * 2])
modes = st.lists(names, min_size=2, max_size=2, unique=True)
no_operators = st.lists(st.one_of(*steady, *dying, *watermarks), min_size=15, max_size=40)
anything = [*steady, *dying, *retaining, *watermarks, *clocks, *operating]
everything = st.lists(st.one_of(*anything), min_size=25, max_size=60)
even_more = st.lists(st.one_of(*anything, *crowding, *making), min_size=25, max_size=60)


def play(schedule: Schedule, seed: int, *names: str) -> World:
    world = World(seed, *names)
    for name, *arguments in schedule:
        getattr(world, name)(*arguments)
        world.run(world.random.randint(0, 3))
    world.settle()
    return world


@explored
@given(schedule=no_operators, seed=seeds, names=modes)
def test_where_nothing_is_deleted_nothing_is_on_record(
    schedule: Schedule, seed: int, names: list[str]
) -> None:
    world = play(schedule, seed, *names)
    assert not world.broken
    assert not world.watch.happened.keys() & set(CAUSES)


@much_explored
@given(schedule=everything, seed=seeds, names=modes)
def test_whatever_goes_wrong_what_is_owed_is_handed_out_until_it_is_done_or_is_on_record(
    schedule: Schedule, seed: int, names: list[str]
) -> None:
    assert not play(schedule, seed, *names).broken


@much_explored
@given(schedule=everything, seed=seeds, name=names)
def test_so_it_is_where_one_subscription_has_all_the_trouble(
    schedule: Schedule, seed: int, name: str
) -> None:
    assert not play(schedule, seed, name).broken


@much_explored
@given(schedule=even_more, seed=seeds, names=modes)
def test_so_it_is_where_there_is_little_room_and_others_are_made_under_their_names(
    schedule: Schedule, seed: int, names: list[str]
) -> None:
    assert not play(schedule, seed, *names).broken


def test_all_that_is_told_of_here_happens() -> None:
    """In schedules as they are drawn above: a fault that never comes is survived by everybody."""
    happened: Counter[str] = Counter()

    @much_explored
    @given(schedule=everything, seed=seeds, names=modes)
    def look(schedule: Schedule, seed: int, names: list[str]) -> None:
        world = play(schedule, seed, *names)
        happened.update(+world.watch.happened)
        happened["answers got lost"] += world.ledger.lost

    look()
    assert set(+happened) == HAPPENED


def test_so_does_what_is_only_told_of_there() -> None:
    happened: Counter[str] = Counter()

    @explored
    @given(schedule=even_more, seed=seeds, names=modes)
    def look(schedule: Schedule, seed: int, names: list[str]) -> None:
        happened.update(+play(schedule, seed, *names).watch.happened)

    look()
    assert set(+happened) >= HAPPENED_THERE
