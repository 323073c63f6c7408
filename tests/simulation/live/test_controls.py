"""Controls: without one of the rules of `relaycore.live` the same schedules find what it is for."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from relaycore.delivering.skipping import Noted
from relaycore.live import ids, owed, walk
from relaycore.live.ids import EventId, Meaning, Resumed
from relaycore.live.owed import Owed
from relaycore.live.ring import Ring
from relaycore.live.walk import Page, Run, Walk

from .archive import Archive
from .hub import Hub
from .schedules import searched

RETENTION = ["retain", "delete"]
LOSS = ["pass_time", "fall_back"]


# --- from the archive to the rings ----------------------------------------------------------------


def test_control_who_joins_a_ring_that_does_not_reach_down_to_him(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Walk, "floor", property(lambda self: ""))
    assert searched("missed")


def test_control_who_stays_in_a_ring_that_has_let_go_what_he_has_not_had(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stay(self: Walk) -> None:
        if self._places is None:
            leave_or_join(self)
            return
        self._places = {name: max(at, self.rings[name].first) for name, at in self._places.items()}
        self._pass_known(self._places)

    leave_or_join = Walk._leave_or_join
    monkeypatch.setattr(Walk, "_leave_or_join", stay)
    assert searched("missed")


def test_control_who_is_in_a_ring_is_taken_for_one_who_has_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Walk, "is_at_end", property(lambda self: bool(self._only and self._places)))
    assert searched("not at the end")


def test_control_who_stands_at_the_watermark_by_which_he_has_read(monkeypatch: pytest.MonkeyPatch) -> None:
    last = Page.last.fget  # type: ignore[attr-defined]

    def to_the_watermark(self: Page) -> str:
        return str(last(self)) if self.is_more else max(last(self), self.below)

    monkeypatch.setattr(Page, "last", property(to_the_watermark))
    assert searched("missed", LOSS)


def test_control_a_page_clears_a_floor_that_came_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a loss what was let go may stand below a watermark by which nothing was there."""
    leave_or_join, read = Walk._leave_or_join, Walk.read
    clear: dict[Walk, str] = {}

    def remembering(self: Walk, page: Page) -> Any:
        clear[self] = "" if page.is_more else page.below
        return read(self, page)

    def joining(self: Walk) -> None:
        if self._places is None and self.floor < clear.get(self, ""):
            self.position = max(self.position, self.floor)
        leave_or_join(self)

    monkeypatch.setattr(Walk, "read", remembering)
    monkeypatch.setattr(Walk, "_leave_or_join", joining)
    assert searched("missed", LOSS, most=2000)


def test_control_what_came_to_a_ring_after_it_was_read_is_shown_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Walk, "_pass_known", lambda self, places: None)
    assert searched("doubled")


def test_control_a_page_from_above_is_taken_for_one_from_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Page, "serves", lambda self, position: position < self.last)
    assert searched("missed")


# --- several channels -----------------------------------------------------------------------------


def test_control_channels_are_put_together_further_than_they_are_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Hub, "pump", _knowing_everything(Hub.pump))
    assert searched("missed")


def _knowing_everything(pump: Any) -> Any:
    def pumped(self: Hub) -> None:
        pump(self)
        for ring in self.rings.values():
            ring.below = "9"

    return pumped


def test_control_channels_are_put_one_behind_another(monkeypatch: pytest.MonkeyPatch) -> None:
    def behind(*found: Sequence[Any], key: Any) -> list[Any]:
        return [entry for entries in found for entry in entries]

    monkeypatch.setattr(walk, "merge", behind)
    assert searched("out of order")


# --- ids ------------------------------------------------------------------------------------------


def test_control_channels_have_moved_and_nobody_notices(monkeypatch: pytest.MonkeyPatch) -> None:
    resume = ids.resume

    def alike(id: EventId, epoch: str, generation: int, partitions: Any) -> Resumed:
        return resume(replace(id, generation=generation), epoch, generation, partitions)

    monkeypatch.setattr(owed, "resume", alike)
    assert searched("missed", ["divide"])


def test_control_another_archive_is_taken_for_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    resume = ids.resume

    def alike(id: EventId, epoch: str, generation: int, partitions: Any) -> Resumed:
        found = resume(id, epoch, generation, partitions)
        return replace(found, meaning=Meaning.SAME)

    monkeypatch.setattr(owed, "resume", alike)
    assert searched("missed", ["remake"])


def test_control_an_id_that_says_more_than_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    around = Owed.around

    def ahead(self: Owed, one: Walk) -> tuple[str, str]:
        before, after = around(self, one)
        others = {walk.partition: max(ring.newest for ring in walk.rings.values()) for walk in self.walks}
        for walk_ in self.walks:
            if walk_ is not one:
                before = before.replace(walk_.position, others[walk_.partition])
                after = after.replace(walk_.position, others[walk_.partition])
        return before, after

    monkeypatch.setattr(Owed, "around", ahead)
    assert searched("missed")


def test_control_an_id_before_everything_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Owed, "is_told_all", property(lambda self: True))
    assert searched("missed", [*RETENTION, "remake"], most=2000)


def test_control_a_gap_counts_as_told_before_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    tell_gap = Owed.tell_gap

    def at_once(self: Owed, number: int, data: Any) -> None:
        tell_gap(self, number, data)
        self._gap = max(self._gap, number)

    monkeypatch.setattr(Owed, "tell_gap", at_once)
    monkeypatch.setattr(Owed, "is_told_all", property(lambda self: True))
    assert searched("gap not told", ["gap", "gap"], most=2000)


def test_control_the_end_is_said_only_behind_the_last_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who breaks off between the two gets as many again."""
    monkeypatch.setattr(Owed, "id", property(lambda self: str(self._id(self.is_over))))
    assert searched("more than the limit")


# --- limits ---------------------------------------------------------------------------------------


def test_control_what_is_beyond_the_limit_counts_as_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    took = Owed.took

    def all_of_it(self: Owed, run: Run, looked: int, shown: int) -> None:
        took(self, run, len(run.entries), shown)

    monkeypatch.setattr(Owed, "took", all_of_it)
    monkeypatch.setattr(Owed, "cut", lambda self, wanted: min(len(wanted), 1))
    assert searched("missed")


# --- what retention has deleted -------------------------------------------------------------------


def test_control_what_was_deleted_is_asked_before_the_page_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read = Archive.read

    def early(self: Archive, channels: frozenset[str], *others: Any) -> Page:
        records = self.records(channels)
        return replace(read(self, channels, *others), expired=records)

    monkeypatch.setattr(Archive, "read", early)
    assert searched("missed", RETENTION, most=2000)


def test_control_what_was_deleted_is_not_asked_of_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "skip", lambda position, noted, expired: (Noted(), None))
    assert searched("missed", RETENTION)


def test_control_what_was_deleted_before_a_ring_could_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ring, "note", lambda self, expired, below: None)
    assert searched("missed", RETENTION, most=2000)
