"""Controls: without one of the rules of `relaycore.delivering` the same schedules find what it is for."""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import pytest

from relaycore.delivering import cursor, giving, holding, leasing, reading, seeking, settling, unlocked
from relaycore.delivering.cursor import Cursor
from relaycore.delivering.giving import Standing
from relaycore.delivering.holding import Held, Reread, Waiting
from relaycore.delivering.leasing import Ahead, Delivery, Leased, Rows, State
from relaycore.delivering.reading import ReadAhead
from relaycore.delivering.settings import Settings
from relaycore.delivering.skipping import Noted
from relaycore.errors import CursorMoved
from relaycore.storing.expiring import Expired
from tests.simulation.seeds import seeds

from . import saying
from .channel import Away
from .clients import Operators
from .ledger import Entry, Ledger
from .process import Process
from .saying import Said
from .test_delivering import play
from .watch import Reader, Watch
from .world import BACK_MS, READERS

ARGUMENTS: Final[dict[str, Callable[[random.Random], tuple[int, ...]]]] = {
    "append": lambda chance: (chance.randint(1, 4),),
    "run": lambda chance: (chance.randint(1, 40),),
    "kill": lambda chance: (chance.randint(0, 9),),
    "retain": lambda chance: (chance.randint(1, 5),),
    "jump": lambda chance: (chance.choice([-BACK_MS, BACK_MS, -3000, 5000]),),
    "seek": lambda chance: (chance.randint(0, 9), chance.randint(0, 999)),
    "redrive": lambda chance: (chance.randint(0, 9),),
    "choose_anew": lambda chance: (chance.randint(0, 9), chance.randint(0, 9)),
    "drop_watermark": lambda chance: (chance.randint(0, 99),),
    "crowd": lambda chance: (chance.randint(0, 9),),
    "make_anew": lambda chance: (chance.randint(0, 9), chance.randint(0, 9)),
}


MIXED = ["seek", "redrive", "choose_anew", "make_anew", "retain", "jump", "drop_watermark", "crowd"]


def searched(promise: int, reader: str, names: Sequence[str] = (), most: int = 400, first: int = 0) -> bool:
    """Whether one of many schedules of these operations breaks this promise. `first`: see `seeds`."""
    return any(number == promise for broken in played(reader, names, most, first) for number, _ in broken)


def played(reader: str, names: Sequence[str], most: int, first: int = 0) -> Iterator[set[tuple[int, str]]]:
    """What each of these schedules has broken."""
    for seed in seeds(most, first):
        chance = random.Random(seed)
        operations = [chance.choice(["append", "run", "run", "kill", *names]) for _ in range(30)]
        schedule = [(name, *ARGUMENTS[name](chance)) for name in operations]
        yield play(schedule, seed, reader).broken


@pytest.mark.parametrize("names", [[], ["seek"], ["retain"], ["choose_anew", "seek"], MIXED])
@pytest.mark.parametrize("reader", [one.name for one in READERS])
def test_with_all_rules_these_schedules_find_nothing(reader: str, names: list[str]) -> None:
    assert not any(played(reader, names, most=40))


# --- 1: rows are made in the step that moves the cursor -------------------------------------------


def test_control_a_cursor_that_moves_without_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Entry, "insert", lambda self, new: None)
    assert searched(1, "lease")


def test_control_rows_that_are_made_in_another_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    transact, insert = Process._transact, Entry.insert
    made: list[Sequence[Delivery]] = []

    def in_two(self: Process, reader: Reader, work: Callable[[Entry], Any]) -> Any:
        made.clear()
        answer = transact(self, reader, work)
        new = list(made)
        transact(self, reader, lambda entry: [insert(entry, one) for one in new])
        return answer

    monkeypatch.setattr(Entry, "insert", lambda self, new: made.append(new))
    monkeypatch.setattr(Process, "_transact", in_two)
    assert searched(1, "lease")


def test_control_a_cursor_that_moves_past_what_was_not_leased(monkeypatch: pytest.MonkeyPatch) -> None:
    lease = leasing.lease

    def all_of_it(settings: Settings, cursor: Cursor, rows: Rows, ahead: Ahead, *others: Any) -> Leased:
        leased = lease(settings, cursor, rows, ahead, *others)
        return replace(leased, cursor=replace(cursor, position=ahead.upto)) if leased.new else leased

    monkeypatch.setattr(giving, "lease", all_of_it)
    assert searched(1, "delayed")


def test_control_what_was_read_is_taken_for_all_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    first = ReadAhead.first

    def up_to_the_end(self: ReadAhead, *limits: Any) -> tuple[list[Any], str]:
        return first(self, *limits)[0], self.looked

    monkeypatch.setattr(ReadAhead, "first", up_to_the_end)
    assert searched(1, "cursor")
    assert searched(1, "lease")


# --- 2: generations -------------------------------------------------------------------------------


def test_control_an_ack_from_before_a_seek(monkeypatch: pytest.MonkeyPatch) -> None:
    settle = settling.settle
    monkeypatch.setattr(settling, "meant", lambda cursor, tokens: [token.position for token in tokens])

    def whatever_generation(cursor: Cursor, tokens: Any, *others: Any) -> settling.Settled:
        return settle(cursor, [replace(one, generation=cursor.generation) for one in tokens], *others)

    monkeypatch.setattr(settling, "settle", whatever_generation)
    assert searched(5, "lease", ["seek"])


def test_control_a_commit_from_before_a_seek(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Cursor, "_require", lambda self, generation: None)
    assert searched(5, "cursor", ["seek"])


def test_control_a_seek_that_leaves_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Operators, "_delete", lambda self, entry, moving: None)
    assert searched(2, "lease", ["seek"])


def test_control_a_seek_back_that_forgets_rows_whose_message_retention_has_deleted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(seeking, "reach", lambda to, noted: to)
    assert searched(1, "lease", ["seek", "retain"], most=2000)


def test_control_a_seek_that_does_not_say_what_was_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeking, "reach", lambda to, noted: "")
    assert searched(1, "lease", ["seek"])


def test_control_a_dead_letter_is_redriven_above_the_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    def all_of_them(cursor: Cursor, rows: Any, now: int, held: Any) -> list[Delivery]:
        return [one.redrive(now) for one in rows if one.state is State.DEAD]

    monkeypatch.setattr(settling, "redrive", all_of_them)
    assert searched(2, "once", ["seek", "redrive"], most=2000)


@pytest.mark.parametrize("reader", ["lease", "keyed"])
def test_control_one_that_is_made_anew_has_the_generations_of_before(
    monkeypatch: pytest.MonkeyPatch, reader: str
) -> None:
    monkeypatch.setattr(cursor, "first_generation", lambda number: 1)
    assert searched(5, reader, ["make_anew"])


# --- 3: commits -----------------------------------------------------------------------------------


def test_control_a_commit_past_what_was_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def anywhere(self: Cursor, position: str, generation: int | None = None) -> Cursor:
        self._require(generation)
        if position < self.position:
            raise CursorMoved(self.position, self.generation)
        return replace(self, position=position, fetched=max(self.fetched, position))

    monkeypatch.setattr(Cursor, "commit", anywhere)
    assert searched(5, "cursor")


def test_control_a_commit_that_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def back(self: Cursor, position: str, generation: int | None = None) -> Cursor:
        self._require(generation)
        return replace(self, position=min(position, self.fetched))

    monkeypatch.setattr(Cursor, "commit", back)
    assert searched(8, "cursor")


def test_control_a_fetch_that_commits_what_it_brings(monkeypatch: pytest.MonkeyPatch) -> None:
    commit = saying.commit

    def after(watch: Watch, reader: Reader, position: str, generation: int) -> Said:
        said = commit(watch, reader, position, generation)

        def work(entry: Entry) -> Any:
            entry.cursor = entry.cursor.fetch(position, generation)
            return said.work(entry)

        return replace(said, work=work)

    monkeypatch.setattr(saying, "commit", after)
    assert searched(5, "cursor")


def test_control_a_fetch_goes_on_where_its_commit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    say = Said.say

    def anyhow(self: Said, entry: Entry) -> Any:
        try:
            return say(self, entry)
        except CursorMoved:
            return None

    monkeypatch.setattr(Said, "say", anyhow)
    assert searched(5, "cursor")


# --- 4: tokens name their attempt -----------------------------------------------------------------


def test_control_an_ack_by_position_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Delivery, "is_held", lambda self, attempt: self.state is State.LEASED)
    assert searched(5, "delayed")


def test_control_attempts_begin_anew_after_a_redrive(monkeypatch: pytest.MonkeyPatch) -> None:
    def anew(self: Delivery, now: int) -> Delivery:
        return replace(self, state=State.WAITING, attempt=0, before=0, due_at=now, deadline_at=0, why="")

    monkeypatch.setattr(Delivery, "redrive", anew)
    assert searched(5, "ordered", ["redrive", "redrive"], most=2000)


def test_control_an_ack_after_the_last_deadline_is_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Delivery, "has_lapsed", lambda self, attempt: False)
    assert searched(5, "ordered")


# --- 5: nobody is answered before all of it is committed ------------------------------------------


def test_control_who_is_answered_before_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    transact = Process._transact

    def at_once(self: Process, reader: Reader, work: Callable[[Entry], Any]) -> Any:
        answers: list[Any] = []

        def told(entry: Entry) -> Any:
            answers.append(work(entry))
            return answers[0]

        try:
            return transact(self, reader, told)
        except Away:
            return answers[0]

    monkeypatch.setattr(Process, "_transact", at_once)
    assert searched(5, "lease")


@pytest.mark.parametrize(("reader", "promise"), [("cursor", 1), ("lease", 8)])
def test_control_what_was_read_ahead_is_trusted_wherever_the_cursor_is(
    monkeypatch: pytest.MonkeyPatch, reader: str, promise: int
) -> None:
    begin, lease = giving._begin, leasing.lease

    def here(
        standing: giving.Standing, ahead: Ahead, expired: Expired
    ) -> giving.Handed | giving.Outdated | None:
        cursor = standing.cursor
        return begin(standing, replace(ahead, above=cursor.position, generation=cursor.generation), expired)

    def from_here(settings: Settings, cursor: Cursor, rows: Rows, ahead: Ahead, *others: Any) -> Leased:
        ahead = replace(ahead, above=cursor.position, generation=cursor.generation)
        return lease(settings, cursor, rows, ahead, *others)

    monkeypatch.setattr(giving, "_begin", here)
    monkeypatch.setattr(giving, "lease", from_here)
    monkeypatch.setattr(Cursor, "_require", lambda self, generation: None)
    assert searched(promise, reader, ["seek"])


# --- 6 and 7: how much is on its way, and in which order ------------------------------------------


def varied(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
    """Messages are leased as if something else was set."""
    lease = leasing.lease

    def other(given: Settings, *others: Any) -> Leased:
        return lease(replace(given, **settings), *others)

    monkeypatch.setattr(giving, "lease", other)


def test_control_rows_without_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    varied(monkeypatch, most_outstanding=1000)
    assert searched(4, "lease")


def test_control_no_order(monkeypatch: pytest.MonkeyPatch) -> None:
    varied(monkeypatch, is_ordered=False)
    assert searched(3, "ordered")


def test_control_a_row_that_is_not_due_holds_nothing_back(monkeypatch: pytest.MonkeyPatch) -> None:
    lease = leasing.lease

    def blind(settings: Settings, cursor: Cursor, rows: Rows, *others: Any) -> Leased:
        return lease(settings, cursor, rows if rows.due else Rows(), *others)

    monkeypatch.setattr(giving, "lease", blind)
    assert searched(3, "ordered")


def test_control_one_attempt_more(monkeypatch: pytest.MonkeyPatch) -> None:
    spent = Delivery.has_spent
    monkeypatch.setattr(Delivery, "has_spent", lambda self, given: spent(replace(self, before=1), given))
    assert searched(7, "ordered")


def test_control_a_lease_that_ends_early(monkeypatch: pytest.MonkeyPatch) -> None:
    due = Delivery.is_due
    monkeypatch.setattr(Delivery, "is_due", lambda self, now: due(self, now + 1500))
    assert searched(2, "delayed")


def test_control_a_delay_that_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Process, "_ripe_before", lambda self, reader: None)
    assert searched(9, "delayed")


# --- 8: what retention has deleted ----------------------------------------------------------------


def test_control_what_was_deleted_is_asked_before_the_page_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Process, "_expired", lambda self, read, early: early)
    assert searched(1, "cursor", ["retain"], most=2000, first=210)


def test_control_what_was_deleted_is_not_asked_for_the_next_page(monkeypatch: pytest.MonkeyPatch) -> None:
    add = ReadAhead.add

    def keep(self: ReadAhead, *given: Any) -> None:
        noted = self._expired
        add(self, *given)
        self._expired = noted

    monkeypatch.setattr(ReadAhead, "add", keep)
    monkeypatch.setattr(reading, "RECORD_SECONDS", 1e9)
    assert searched(1, "cursor", ["retain"], most=2000)


def test_control_what_was_deleted_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(giving, "skip", lambda position, noted, expired: (noted, None))
    assert searched(1, "lease", ["retain"])


def test_control_what_was_deleted_is_noted_and_not_put_on_record(monkeypatch: pytest.MonkeyPatch) -> None:
    def noted(position: str, noted: Noted, expired: Expired) -> tuple[Noted, None]:
        return Noted(expired.upto, expired.messages), None

    monkeypatch.setattr(giving, "skip", noted)
    assert searched(1, "cursor", ["retain"])


# --- one by one -----------------------------------------------------------------------------------


def test_control_a_step_from_wherever_the_cursor_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    def anyhow(self: Cursor, seen: Cursor, position: str) -> Cursor:
        return replace(self, position=position, fetched=max(self.fetched, position))

    monkeypatch.setattr(Cursor, "step", anyhow)
    assert searched(9, "queue")
    assert searched(8, "queue")


def test_control_a_step_that_does_not_know_of_seeks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Cursor, "stands_as", lambda self, seen: self.position <= seen.position)
    assert searched(1, "queue", ["seek"])


def test_control_nothing_more_by_a_watermark_that_has_fallen_since(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "is_read", lambda entry, below: True)
    assert searched(10, "queue", ["drop_watermark", "drop_watermark"], most=2000)


def test_control_a_step_over_what_was_deleted_is_not_on_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Process, "_note", lambda self, desk, cursor, expired: None)
    assert searched(1, "queue", ["retain"])


# --- room for the answer --------------------------------------------------------------------------


@pytest.mark.parametrize("reader", ["cursor", "lease", "delayed"])
def test_control_a_page_without_what_has_no_room_ends_where_it_did(
    monkeypatch: pytest.MonkeyPatch, reader: str
) -> None:
    def up_to_the_end(
        self: Process, whole: Ahead, ahead: Ahead, documents: list[Any]
    ) -> tuple[Ahead, list[Any]]:
        return replace(ahead, upto=whole.upto), documents

    monkeypatch.setattr(Process, "_cut", up_to_the_end)
    assert searched(1, reader, ["crowd"])


@pytest.mark.parametrize("reader", ["lease", "keyed"])
def test_control_where_none_has_room_what_was_read_is_passed(
    monkeypatch: pytest.MonkeyPatch, reader: str
) -> None:
    lease = leasing.lease

    def passing(
        settings: Settings, cursor: Cursor, rows: Rows, ahead: Ahead, most: int, *others: Any
    ) -> Leased:
        leased = lease(settings, cursor, rows, ahead, most, *others)
        return leased if most else replace(leased, cursor=replace(cursor, position=ahead.upto))

    monkeypatch.setattr(giving, "lease", passing)
    assert searched(1, reader, ["crowd"])


# --- what is decided by a row as it was left -----------------------------------------------------


def _whatever_is_left_out(monkeypatch: pytest.MonkeyPatch, alike: Callable[[Entry, Standing], Any]) -> None:
    """The row is compared but for this."""
    stands_as = Ledger.stands_as
    monkeypatch.setattr(
        Ledger, "stands_as", lambda self, entry, seen: stands_as(self, alike(entry, seen), seen)
    )


def test_control_it_is_written_wherever_the_row_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ledger, "stands_as", lambda self, entry, seen: True)
    assert searched(8, "cursor")
    assert searched(1, "filtered", ["seek"])


def test_control_it_is_written_where_the_cursor_has_gone_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def alike(entry: Entry, seen: Standing) -> Entry:
        return replace(entry, cursor=replace(entry.cursor, position=seen.cursor.position))

    _whatever_is_left_out(monkeypatch, alike)
    assert searched(8, "cursor")


def test_control_it_is_written_whatever_generation_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def alike(entry: Entry, seen: Standing) -> Entry:
        return replace(entry, cursor=replace(entry.cursor, generation=seen.cursor.generation))

    _whatever_is_left_out(monkeypatch, alike)
    assert searched(5, "cursor", ["seek"])


def test_control_what_needs_other_rows_is_decided_by_that_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unlocked, "may_be_written", lambda seen, then: True)
    assert searched(1, "cursor", ["retain"])


# --- 15: clocks ------------------------------------------------------------------------------------


def test_control_rows_hang_after_a_clock_has_fallen_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def by_its_time(self: Delivery, now: int) -> bool:
        return self.state is not State.DEAD and self.due_at <= now

    assert not searched(6, "lease", ["jump"], most=40)
    monkeypatch.setattr(Delivery, "is_due", by_its_time)
    assert searched(6, "lease", ["jump"])


# --- 9: what was read ahead was chosen by what it is set to -----------------------------------------


@pytest.mark.parametrize("reader", ["filtered", "lease"])
def test_control_what_was_chosen_by_another_filter_is_handed_out(
    monkeypatch: pytest.MonkeyPatch, reader: str
) -> None:
    begin = giving._begin
    monkeypatch.setattr(
        giving,
        "_begin",
        lambda standing, ahead, *others: begin(standing, replace(ahead, revision=standing.revision), *others),
    )
    assert searched(1, reader, ["choose_anew"])


def test_control_what_was_fetched_by_another_filter_is_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Cursor, "choose_anew", lambda self: self)
    assert searched(5, "filtered", ["choose_anew"])


# --- 10 to 14: order by a field -------------------------------------------------------------------


def test_control_a_key_is_leased_while_something_of_it_is_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = Waiting.__init__
    monkeypatch.setattr(Waiting, "__init__", lambda self, busy, held: begin(self, (), held))
    assert searched(3, "keyed")


class Unseen(dict[str, Held]):
    """What waits, and whoever is new passes it."""

    def __contains__(self, key: object) -> bool:
        return False


def test_control_what_is_new_overtakes_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = Waiting.__init__

    def unseen(self: Waiting, busy: Iterable[str], held: Mapping[str, Held]) -> None:
        begin(self, busy, held)
        self._held = Unseen(held)

    monkeypatch.setattr(Waiting, "__init__", unseen)
    assert searched(3, "keyed")


def test_control_what_waits_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = Waiting.__init__
    monkeypatch.setattr(Waiting, "__init__", lambda self, busy, held: begin(self, busy, {}))
    assert searched(9, "keyed")
    assert searched(6, "keyed")


def test_control_what_waits_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Entry, "hold", lambda self, held, free: None)
    assert searched(1, "keyed")


def test_control_of_a_key_whatever_is_due_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leasing, "first_of_each_key", list)
    assert searched(3, "keyed", ["redrive", "redrive"], most=2000, first=353)


def test_control_keys_that_are_open_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    due = Entry.due

    def without(self: Entry, most: int) -> Rows:
        rows = due(self, most)
        return replace(rows, outstanding=rows.outstanding - len(self.open))

    monkeypatch.setattr(Entry, "due", without)
    assert searched(4, "keyed")


def test_control_keys_that_are_open_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    due = Entry.due
    monkeypatch.setattr(Entry, "due", lambda self, most: replace(due(self, most), open=()))
    assert searched(6, "keyed")


def test_control_it_is_gone_on_by_what_was_read_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(giving, "is_read", lambda held, reread: held.key in reread)
    monkeypatch.setattr(holding, "is_read", lambda held, reread: held.key in reread)
    assert searched(9, "keyed", most=2000)


def test_control_what_was_read_is_taken_for_all_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = holding.go_on

    def to_the_end(held: Held, reread: Reread) -> holding.Step:
        return go_on(held, reread if reread.found else replace(reread, looked=held.upto))

    monkeypatch.setattr(holding, "go_on", to_the_end)
    assert searched(1, "keyed")


def test_control_what_retention_has_deleted_while_it_waited_is_not_on_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go_on = holding.go_on
    monkeypatch.setattr(holding, "go_on", lambda held, reread: replace(go_on(held, reread), missed=None))
    assert searched(1, "parked", ["retain"])


def test_control_what_was_deleted_is_asked_before_what_waits_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Process, "_reread_expired", lambda self, early: early)
    assert searched(1, "parked", ["retain", "retain"], most=2000, first=699)


def test_control_a_seek_that_does_not_say_what_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeking.OnTheirWay, "and_waiting", lambda self, held, reach: self)
    assert searched(1, "parked", ["seek"])


def test_control_a_seek_that_leaves_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Operators, "_forget", lambda self, entry: None)
    assert searched(9, "keyed", ["seek"])


def test_control_a_dead_letter_is_redriven_where_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    redrive = settling.redrive
    monkeypatch.setattr(settling, "redrive", lambda cursor, rows, now, held: redrive(cursor, rows, now))
    names = ["seek", "redrive", "redrive", "run", "run", "append"]
    assert searched(9, "keyed once", names, most=2000)


def test_control_what_waits_is_chosen_by_another_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "chosen_by", lambda position, generation, earlier, now: now)
    assert searched(1, "keyed", ["choose_anew"])


def test_control_what_it_was_set_to_before_is_kept_after_a_seek(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen_by = holding.chosen_by

    def of_any_generation(position: str, generation: int, earlier: Any, now: Any) -> Any:
        return chosen_by(position, 1, [replace(one, generation=1) for one in earlier], now)

    monkeypatch.setattr(holding, "chosen_by", of_any_generation)
    assert searched(1, "keyed", ["choose_anew", "seek"], most=2000)
