"""Order by a field: what of a key is tried, what waits, and what is written of it."""

from collections.abc import Sequence

from relaycore.delivering.holding import Held, Reread
from relaycore.delivering.leasing import Ahead, Delivery, Rows, State
from relaycore.delivering.settings import Settings
from relaycore.position import previous_position
from relaycore.sending.items import DONE, WITHHELD, Failed, Item
from relaycore.sending.keyed.keys import Keys
from relaycore.sending.keyed.queue import Queue
from relaycore.sending.window import Window
from relaycore.storing.expiring import NOTHING, Expired
from tests.unit.relaycore.delivering.places import NOW, at, document
from tests.unit.relaycore.sending.windows import (
    SETTINGS,
    look_at,
    number,
    numbers,
    standing,
    taken,
    waiting,
    window,
    written,
)

FAILED = Failed(NOW + 1000, "status 500")
DEAD = Failed(None, "status 500")


def add(into: Window, *messages: tuple[int, str]) -> None:
    """What comes next: number and key of each."""
    place = into.place
    named = [(at(one), one.to_bytes(12, "big")) for one, _ in messages]
    keys = [key for _, key in messages]
    ahead = Ahead(place.position, named[-1][0], named, place.generation, into._revision, keys)
    assert into.add(ahead, [document(one) for one, _ in messages], NOTHING)


def keyed(*messages: tuple[int, str], most: int = 9, settings: Settings = SETTINGS) -> Window:
    made = window(settings, most)
    add(made, *messages)
    return made


def tried(of: Window) -> list[int | None]:
    return [number(one) for one in taken(of)]


def reread(of: Window, *found: int, looked: int | None = None, expired: Expired = NOTHING) -> bool:
    """For the first key that is open this is read: a message, or nothing up to there."""
    (held, *_) = of.opened
    first = (at(found[0]), found[0].to_bytes(12, "big")) if found else None
    upto = at(looked) if looked is not None else at(found[-1])
    read = Reread(held.above, upto, first, expired)
    return of.reread({held.key: read}, [document(one) for one in found])


def look(into: Window, rows: Sequence[Delivery], *held: Held) -> None:
    keys = {one.position: one.key for one in rows}
    look_at(
        into,
        Rows(
            rows, len(rows), rows[0].position if rows else "", held={one.key: one for one in held}, keys=keys
        ),
    )
    into.read({one.id: document(int.from_bytes(one.id, "big")) for one in into.unread})


def test_of_a_key_one_is_tried_at_a_time_and_the_others_flow() -> None:
    made = keyed((1, "a"), (2, "a"), (3, "b"), (4, ""), (5, "a"), (6, "b"))
    first, third, fourth = taken(made)
    assert [number(one) for one in (first, third, fourth)] == [1, 3, 4]
    made.settle(first, DONE)
    assert tried(made) == [2]
    made.settle(third, DEAD)
    assert tried(made) == [6], "what is dead holds back nothing"


def test_what_was_withheld_is_the_next_one_of_its_key() -> None:
    made = keyed((1, "a"), (2, "a"))
    (first,) = taken(made)
    made.settle(first, WITHHELD)
    assert tried(made) == [1]


def test_what_fails_parks_its_key_in_one_record_and_the_cursor_passes() -> None:
    made = keyed((1, "a"), (2, "a"), (3, "b"), (4, "a"))
    first, third = taken(made)
    made.settle(first, FAILED)
    made.settle(third, DONE)
    assert tried(made) == []
    progress = written(made)
    assert progress.cursor.position == at(4)
    assert [(number_of(one), one.key) for one in progress.new] == [(1, "a")]
    assert progress.held == [Held("a", previous_position(at(2)), at(4), 2)]
    add(made, (5, "a"), (6, "c"))
    assert tried(made) == [6]
    assert written(made).held == [Held("a", previous_position(at(2)), at(5), 3)]


def number_of(row: Delivery) -> int:
    return int.from_bytes(row.id, "big")


def parked() -> Window:
    """1 has failed, and 2 and 4 wait behind it; all of it is written, and 1 is due again."""
    made = keyed((1, "a"), (2, "a"), (4, "a"))
    (first,) = taken(made)
    made.settle(first, FAILED)
    written(made)
    look(made, [waiting(1, key="a")], Held("a", previous_position(at(2)), at(4), 2))
    return made


def test_a_key_goes_on_to_what_waits_a_message_a_step() -> None:
    made = parked()
    (first,) = taken(made)
    assert [one.key for one in made.opened] == ["a"], "it is read while the last one is out"
    assert reread(made, 2)
    assert made.progress() is None, "and gets no row before that has ended"
    made.settle(first, DONE)
    progress = written(made)
    assert numbers(progress.done) == [1]
    assert [(number_of(one), one.key, one.attempt) for one in progress.new] == [(2, "a", 0)]
    assert progress.held == [Held("a", at(2), at(4), 1)]
    (second,) = taken(made)
    assert number(second) == 2
    assert reread(made, 4)
    made.settle(second, DONE)
    progress = written(made)
    assert (numbers(progress.new), progress.held, progress.free) == ([4], [], ["a"])
    (fourth,) = taken(made)
    made.settle(fourth, DONE)
    assert numbers(written(made).done) == [4]
    add(made, (7, "a"))
    assert tried(made) == [7], "the key is free"


def test_what_fails_again_keeps_the_rest_waiting() -> None:
    made = parked()
    (first,) = taken(made)
    assert reread(made, 2)
    made.settle(first, FAILED)
    progress = written(made)
    assert (numbers(progress.changed), progress.new, progress.held) == ([1], [], [])
    assert tried(made) == []


def test_what_was_deleted_while_it_waited_is_on_record() -> None:
    made = parked()
    (first,) = taken(made)
    made.settle(first, DONE)
    assert reread(made, looked=4, expired=Expired(at(4), 9))
    progress = written(made)
    assert progress.free == ["a"]
    (missed,) = progress.waited
    assert (missed.key, missed.after, missed.upto, missed.at_most) == (
        "a",
        previous_position(at(2)),
        at(4),
        2,
    )


def test_what_comes_of_an_open_key_waits_behind_what_waits_already() -> None:
    made = window()
    look(made, [], Held("a", at(1), at(2), 1))
    add(made, (3, "a"), (4, "b"))
    assert tried(made) == [4]
    assert reread(made, 2)
    progress = written(made)
    assert progress.held == [Held("a", previous_position(at(3)), at(3), 1)]
    assert numbers(progress.new) == [2]


def test_a_look_that_finds_a_row_of_the_key_holds_back_what_is_new() -> None:
    """Somebody has redriven it."""
    made = keyed((5, "a"), (6, "a"))
    look(made, [waiting(2, key="a")])
    (second,) = taken(made)
    assert number(second) == 2
    made.settle(second, DONE)
    progress = written(made)
    assert progress.held == [Held("a", previous_position(at(5)), at(6), 2)]


def test_a_row_waits_while_another_message_of_its_key_is_out() -> None:
    made = keyed((5, "a"))
    (fifth,) = taken(made)
    look(made, [waiting(2, key="a")])
    assert tried(made) == []
    made.settle(fifth, DONE)
    assert tried(made) == [2]


def test_after_a_seek_nothing_of_a_key_is_tried_while_one_of_before_is_out() -> None:
    made = keyed((1, "a"), (2, "b"))
    first, second = taken(made)
    made.settle(second, DONE)
    made.load(standing(0, generation=2), SETTINGS)
    look_at(made, Rows())
    add(made, (1, "a"), (2, "b"))
    assert tried(made) == [2]
    made.settle(first, DONE)
    assert tried(made) == [1]


def test_what_hangs_is_passed_once_what_waits_behind_it_takes_all_the_room() -> None:
    made = keyed(*((one, "a") for one in range(1, 5)), most=4)
    (first,) = taken(made)
    progress = written(made)
    assert [(number_of(one), one.attempt) for one in progress.new] == [(1, 0)]
    assert progress.held == [Held("a", previous_position(at(2)), at(4), 3)]
    add(made, (5, "b"))
    assert tried(made) == [5], "the others flow"
    made.settle(first, DONE)
    assert numbers(written(made).done) == [1]


def test_no_more_keys_are_parked_than_rows_may_be_on_their_way() -> None:
    made = keyed((1, "a"), (2, "b"), (3, "c"), (4, "c"), settings=Settings(most_outstanding=2))
    first, second = taken(made)
    made.settle(first, FAILED)
    made.settle(second, FAILED)
    written(made)
    assert tried(made) == []


def test_while_it_is_not_known_whether_it_is_held_nothing_of_a_key_is_tried() -> None:
    keys = Keys()
    queue = Queue(keys)
    second, fifth = (Item(at(one), b"", {"message": b""}, key="a") for one in (2, 5))
    keys.holds([second])
    queue.add(fifth)
    assert queue.take() is None
    keys.forget()
    queue.rebuild([fifth])
    assert queue.take() is fifth


def test_a_row_that_is_dead_is_on_its_way_no_more() -> None:
    made = parked()
    (first,) = taken(made)
    made.settle(first, DEAD)
    assert reread(made, 2)
    progress = written(made)
    assert [one.state for one in progress.changed] == [State.DEAD]
    assert numbers(progress.new) == [2]
