"""Whoever dies when: what is sent again is stored once, and is in quarantine until then."""

import re
from collections.abc import Iterable

import pytest

from relaycore.storing import retrying
from relaycore.storing.retrying import Row, Standing

from .world import Broken, Entry, Steps, World

Patch = pytest.MonkeyPatch


@pytest.mark.parametrize("begin", range(0, 4000, 500))
def test_what_is_sent_again_is_stored_once_and_is_in_quarantine_until_then(begin: int) -> None:
    for seed in range(begin, begin + 500):
        World(seed).play()


def breaks(promise: str, kind: type[World] = World) -> bool:
    """Whether some seed breaks this promise."""
    for seed in range(8000):
        try:
            kind(seed).play()
        except Broken as exc:
            if re.search(promise, str(exc)):
                return True
    return False


def test_control_a_row_goes_once_its_message_stands_on_the_stream() -> None:
    class Appended(World):
        def mark(self, entry: Entry) -> None:
            self.rows.pop(entry.row, None)

    assert breaks("^lost", Appended)


def test_control_a_row_goes_before_its_message_is_stored() -> None:
    class Early(World):
        def writer(self) -> Steps:
            yield from self.forget([entry for entry in self.redis.waiting() if self._is_mended(entry)])
            yield from super().writer()

        def _is_mended(self, entry: Entry) -> bool:
            return self.keys[entry.row] in self.mended

    assert breaks("^lost", Early)


def test_control_an_entry_is_acknowledged_before_its_row_is_settled() -> None:
    class Acknowledged(World):
        def settle(self, batch: list[Entry], refused: set[int]) -> Steps:
            self.acknowledge(batch)
            yield
            yield from super().settle(batch, refused)

    assert breaks("said to be lost", Acknowledged)


def test_control_what_is_refused_again_gets_a_row_of_its_own() -> None:
    class Another(World):
        def renew(self, entries: list[Entry]) -> Steps:
            for entry in entries:
                self.keys[entry.number] = self.keys[entry.row]
                self.rows[entry.number] = Row(entry.position)
                yield
            yield from self.forget(entries)

    assert breaks("in quarantine twice", Another)


def test_control_the_watermark_is_learnt_after_the_row_was_read() -> None:
    class After(World):
        def operator(self, row: int) -> Steps:
            found = self.rows.get(row)
            yield
            if found is None:
                return
            has_passed = found.standing(self.redis.below()) is Standing.LOST
            if has_passed and found.sent not in self.redis.lost and row not in self.back:
                raise Broken("said to be lost, and it was not")
            yield
            self.mark(self.redis.append(row))

    assert breaks("said to be lost", After)


def test_control_the_row_of_what_is_refused_goes(monkeypatch: Patch) -> None:
    def every(retried: Iterable[int], refused: object) -> list[int]:
        return list(retried)

    monkeypatch.setattr(retrying, "stored", every)
    assert breaks("^lost")


def test_control_a_mark_counts_although_the_message_was_refused_since(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Row, "is_sent", property(lambda row: bool(row.sent)))
    assert breaks("said to be lost")


def test_control_what_is_on_its_way_is_sent_once_more(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Standing, "may_be_sent", property(lambda standing: True))
    assert breaks("while it is on its way")


def test_control_what_is_lost_is_never_sent_again(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Standing, "may_be_sent", property(lambda standing: standing is Standing.SET_ASIDE))
    assert breaks("for ever")
