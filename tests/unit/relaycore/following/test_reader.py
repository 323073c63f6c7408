"""Who reads what, when and how far."""

import math
from typing import Any

import pytest

from relaycore.following.news import News
from relaycore.following.places import ROOM, Cursor, Document, Horizon, Page, Read
from relaycore.following.reader import LOOK_SECONDS, Following
from relaycore.position import NEVER, START, first_of
from relaycore.storing.known import Beside

MOST = 3


def at(number: int) -> str:
    """The position of the one message of an entry."""
    return first_of(f"{number}-0")


def horizon(below: int, *, stored: int = 0, is_sure: bool = True) -> Horizon:
    return Horizon(at(below), is_sure, f"{stored}-0" if stored else NEVER)


class World:
    """An archive of one partition, and a `Following` that is driven by hand."""

    def __init__(self) -> None:
        self.following = Following(MOST)
        self.stored: list[Document] = []
        self.asked: list[Read] = []
        self.handed: list[tuple[Cursor, Page]] = []
        self.now = 100.0

    def store(self, channel: str, *numbers: int) -> None:
        self.stored += [{"channel": channel, "position": at(number), "number": number} for number in numbers]
        self.stored.sort(key=lambda document: str(document["position"]))

    def turn(self, below: int, **more: Any) -> list[Read]:
        """One turn; what was asked."""
        self.following.begin(self.now)
        reads = self.following.plan(horizon(below, **more))
        for read in reads:
            found = [one for one in self.stored if self._answers(one, read)]
            is_more = len(found) > read.limit
            self.handed += self.following.took(read, found[: read.limit], is_more=is_more)
        self.asked += reads
        return reads

    def turns(self, below: int, **more: Any) -> None:
        """As many as are due at this instant."""
        while self.following.due_in(self.now) == 0:
            self.turn(below, **more)

    def numbers(self, cursor: Cursor) -> list[int]:
        return [one["number"] for whose, page in self.handed if whose is cursor for one in page.messages]

    @staticmethod
    def _answers(document: Document, read: Read) -> bool:
        is_asked = read.channels is None or document["channel"] in read.channels
        return is_asked and read.after < document["position"] < read.below


@pytest.fixture
def world() -> World:
    return World()


def at_the_tail(world: World, *channels: str | None, below: int = 10) -> list[Cursor]:
    """Cursors that have read all there is."""
    cursors = [world.following.follow(channel, START) for channel in channels]
    while not all(cursor.is_at_tail for cursor in cursors):
        world.turn(below)
    for cursor in cursors:
        cursor.room = ROOM
    world.asked.clear()
    return cursors


# --- how far -----------------------------------------------------------------------------


def test_what_redis_says_of_a_partition_is_how_far_may_be_read() -> None:
    beside = Beside(upto=9, stored=7, stored_id="70-1", waiting="80-0", before=7)
    assert Horizon.of(beside) == Horizon(first_of("80-0"), True, "70-1")
    lost = Beside(upto=9, stored=7, stored_id="70-1", at=90)
    assert Horizon.of(lost) == Horizon(first_of("70-2"), False, "70-1")


def test_nothing_is_read_above_the_watermark(world: World) -> None:
    world.store("a", 1, 2, 3)
    cursor = world.following.follow("a", START)

    world.turns(below=3)
    assert world.numbers(cursor) == [1, 2]
    world.now += LOOK_SECONDS
    world.turns(below=4)
    assert world.numbers(cursor) == [1, 2, 3]


def test_without_a_watermark_everything_stays_where_it_is(world: World) -> None:
    (cursor,) = at_the_tail(world, "a")
    world.store("a", 11)
    world.following.hear(News("11-0"))
    world.following.begin(world.now)
    world.following.failed(world.now)

    assert cursor.after == START
    assert world.following.due_in(world.now) == LOOK_SECONDS
    world.now += LOOK_SECONDS
    world.turns(below=20)
    assert world.numbers(cursor) == [11]


def test_after_a_failure_everybody_learns_that_it_is_over(world: World) -> None:
    (cursor,) = at_the_tail(world, "a")
    world.handed.clear()
    world.following.failed(world.now)
    world.now += LOOK_SECONDS
    world.turns(below=20)

    assert world.handed == [(cursor, Page([], is_at_tail=True, is_sure=True))]


def test_a_page_says_whether_something_has_vanished_and_when_it_is_on_record(world: World) -> None:
    (cursor,) = at_the_tail(world, "a")
    world.handed.clear()
    for is_sure in (False, False, True, True):
        world.now += LOOK_SECONDS
        world.turns(below=12, is_sure=is_sure)

    assert [page for _, page in world.handed] == [Page([], True, False), Page([], True, True)]
    assert cursor.is_at_tail


# --- who reads what ----------------------------------------------------------------------


def test_at_the_tail_each_message_is_asked_for_once_for_all(world: World) -> None:
    a, also_a, b, everything = at_the_tail(world, "a", "a", "b", None)
    world.store("a", 11, 13)
    world.store("b", 12)
    world.now += LOOK_SECONDS
    world.turns(below=20, stored=13)

    assert len(world.asked) == 1
    assert [world.numbers(cursor) for cursor in (a, also_a, b, everything)] == [
        [11, 13],
        [11, 13],
        [12],
        [11, 12, 13],
    ]


def test_the_tail_reads_on_behind_what_is_stored_and_not_behind_the_watermark(world: World) -> None:
    at_the_tail(world, "a")
    world.now += LOOK_SECONDS
    world.turns(below=1000, stored=20)
    # Redis has lost its clock: ids go on behind what was stored, and below the watermark of before.
    world.store("a", 21)
    world.now += LOOK_SECONDS
    (read,) = world.turn(below=30, stored=21)

    assert at(20) < read.after < at(21)
    assert [page.messages[0]["number"] for _, page in world.handed if page.messages] == [21]


def test_where_nothing_is_known_to_be_stored_the_lowest_place_is_where_the_tail_reads_on(
    world: World,
) -> None:
    first = world.following.follow("a", at(5))
    second = world.following.follow("b", at(3))
    world.turns(below=10)
    world.store("b", 4)  # Late, and above its place.
    world.now += LOOK_SECONDS
    (read,) = world.turn(below=10)

    assert first.is_at_tail
    assert read.after == at(3)
    assert world.numbers(second) == [4]


def test_who_is_behind_reads_pages_of_its_own_until_it_is_at_the_tail(world: World) -> None:
    (there,) = at_the_tail(world, "a", below=1)
    world.store("a", *range(1, 9))
    world.now += LOOK_SECONDS
    for _ in range(3):
        world.turns(below=10)
        there.room = ROOM
    assert there.is_at_tail
    world.asked.clear()

    late = world.following.follow("a", START)
    for _ in range(3):
        assert not late.is_at_tail
        (read,) = world.turn(below=10)
        assert read.cursors == [late]
        late.room = ROOM

    assert late.is_at_tail
    assert world.numbers(late) == list(range(1, 9))
    assert world.numbers(there) == list(range(1, 9))


def test_what_several_want_from_one_place_is_asked_once(world: World) -> None:
    world.store("a", *range(1, 6))
    cursors = [world.following.follow("a", START) for _ in range(5)]
    world.turns(below=10)

    assert len(world.asked) == 2
    assert all(world.numbers(cursor) == [1, 2, 3, 4, 5] for cursor in cursors)


def test_those_behind_take_turns(world: World) -> None:
    world.store("a", *range(1, 90))
    cursors = [world.following.follow("a", at(10 * number)) for number in range(8)]
    world.turn(below=100)
    world.turn(below=100)

    assert [len(world.numbers(cursor)) for cursor in cursors] == [MOST] * 8


def test_who_has_no_room_falls_behind_and_holds_nobody_up(world: World) -> None:
    slow, quick = at_the_tail(world, "a", "a")
    slow.room = 0
    for number in (11, 12):
        world.store("a", number)
        world.now += LOOK_SECONDS
        world.turns(below=20)

    assert world.numbers(quick) == [11, 12]
    assert world.numbers(slow) == []
    assert not slow.is_at_tail
    slow.room = 1
    world.turns(below=20)
    assert world.numbers(slow) == [11, 12]
    assert slow.is_at_tail


def test_nobody_is_handed_again_what_it_knows_already(world: World) -> None:
    (quiet,) = at_the_tail(world, "b")
    world.store("a", 11, 12)
    late = world.following.follow("a", START)
    world.turns(below=20)
    assert late.is_at_tail
    world.store("a", 21)
    world.now += LOOK_SECONDS
    (read,) = world.turn(below=30)

    assert read.after < at(11)  # For the sake of the other one.
    assert world.numbers(late) == [11, 12, 21]
    assert world.numbers(quiet) == []


def test_who_has_read_below_a_watermark_that_has_fallen_waits_until_it_rises(world: World) -> None:
    (there,) = at_the_tail(world, "a")
    world.store("a", 11, 15)
    world.now += LOOK_SECONDS
    world.turns(below=20, stored=15)
    late = world.following.follow("a", START)
    world.turns(below=13)

    assert world.numbers(late) == [11]
    assert not late.is_at_tail
    assert world.following.due_in(world.now) > 0
    world.now += LOOK_SECONDS
    world.turns(below=20, stored=15)
    assert world.numbers(late) == world.numbers(there) == [11, 15]


def test_below_what_is_said_of_a_cursor_it_was_handed_everything(world: World) -> None:
    a, b = world.following.follow("a", START), world.following.follow("b", at(2))
    world.store("a", 1, 2, 3, 4, 5)
    world.turn(10, stored=5)
    # It is behind: up to what it was handed.
    assert at(3) < world.following.below(a) < at(4)
    assert world.following.below(b) == at(10)
    world.turn(10, stored=5)
    assert world.following.below(a) == at(10)
    world.store("b", 11)
    world.now += LOOK_SECONDS
    world.turn(20, stored=11)
    assert (world.following.below(a), world.following.below(b)) == (at(20), at(20))
    # A watermark that has fallen speaks of less.
    world.now += LOOK_SECONDS
    world.turn(15, stored=11)
    assert world.following.below(a) == at(15)


def test_a_large_page_of_the_tail_is_followed_by_the_next_one_at_once(world: World) -> None:
    (cursor,) = at_the_tail(world, "a")
    world.store("a", *range(11, 16))
    world.now += LOOK_SECONDS
    world.turns(below=20)

    assert world.numbers(cursor) == [11, 12, 13, 14, 15]
    assert [page.is_at_tail for _, page in world.handed if page.messages] == [False, True]


def test_a_cursor_that_has_left_is_handed_nothing(world: World) -> None:
    stays, leaves = at_the_tail(world, "a", "a")
    behind = world.following.follow("a", START)
    world.store("a", 11)
    world.now += LOOK_SECONDS
    world.following.begin(world.now)
    reads = world.following.plan(horizon(20))
    for cursor in (leaves, behind):
        world.following.leave(cursor)
    handed = [pair for read in reads for pair in world.following.took(read, world.stored, is_more=False)]

    assert [cursor for cursor, _ in handed] == [stays]
    assert world.following.cursors == [stays]


# --- when --------------------------------------------------------------------------------


def test_nobody_looks_for_nobody(world: World) -> None:
    assert world.following.due_in(world.now) == math.inf
    cursor = world.following.follow("a", START)
    assert world.following.due_in(world.now) == 0
    cursor.room = 0
    assert world.following.due_in(world.now) == math.inf


def test_whoever_hears_nothing_looks_once_a_second(world: World) -> None:
    at_the_tail(world, "a")
    world.now += LOOK_SECONDS
    world.turns(below=20)
    assert world.following.due_in(world.now) == LOOK_SECONDS
    world.now += 0.75
    assert world.following.due_in(world.now) == 0.25


@pytest.mark.parametrize(
    ("news", "is_due"),
    [
        (News("25-0", frozenset({"a", "z"})), True),
        (News("25-0", frozenset({"z"})), False),
        (News("25-0"), True),
        (News("15-0", frozenset({"a"})), False),
    ],
    ids=["of a channel", "of another channel", "of any", "of what was read before, said again by a stranger"],
)
def test_news_are_a_reason_to_look(world: World, news: News, is_due: bool) -> None:
    at_the_tail(world, "a")
    world.now += LOOK_SECONDS
    world.turns(below=20, stored=19)
    world.following.hear(news)

    assert (world.following.due_in(world.now) == 0) is is_due


def test_who_follows_everything_looks_for_any_channel(world: World) -> None:
    at_the_tail(world, None)
    world.following.hear(News("25-0", frozenset({"z"})))
    assert world.following.due_in(world.now) == 0


def test_news_that_are_above_the_watermark_are_looked_for_with_the_next_ones(world: World) -> None:
    (cursor,) = at_the_tail(world, "a")
    world.store("a", 25)
    world.following.hear(News("25-0", frozenset({"a"})))
    world.turns(below=24)  # Another entry is still to be acknowledged.
    assert world.following.due_in(world.now) > 0, "it does not spin"
    world.following.hear(News("24-0", frozenset({"z"})))
    world.turns(below=26)

    assert world.numbers(cursor) == [25]


def test_news_that_come_while_it_looks_are_looked_for_next(world: World) -> None:
    (cursor,) = at_the_tail(world, "a")
    world.following.hear(News("25-0", frozenset({"a"})))
    world.following.begin(world.now)
    reads = world.following.plan(horizon(26))
    world.following.hear(News("27-0", frozenset({"a"})))
    for read in reads:
        world.following.took(read, [], is_more=False)

    assert world.following.due_in(world.now) == 0
    assert cursor.is_at_tail


def test_news_are_not_looked_for_while_nobody_has_room(world: World) -> None:
    (cursor,) = at_the_tail(world, "a")
    cursor.room = 0
    world.following.hear(News("25-0"))
    assert world.following.due_in(world.now) == math.inf
    cursor.room = 1
    assert world.following.due_in(world.now) == 0


def test_where_news_may_have_been_missed_it_looks_at_once(world: World) -> None:
    at_the_tail(world, "a")
    world.now += LOOK_SECONDS
    world.turns(below=20)
    world.following.look_soon()
    assert world.following.due_in(world.now) == 0
