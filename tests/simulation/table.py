"""The channel table as it is played: which life each channel is in, and what leaders have found out of it.

Listening is turned on and off as `channels_app.registration` does it, and what is found out is written as
`channels_app.listening.recording` does it (`statuses`, `unheard`, `notes`). A place is the number of a
PUBLISH.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from relaycore.capturing.accounting import Missed, Why
from relaycore.capturing.ticks import Tick
from relaycore.policy import Policy


class Row(NamedTuple):
    """A channel that is listened to."""

    policy: Policy
    life: int


@dataclass(frozen=True)
class Found:
    """What is on record of one life: from which tick on it is heard, and whether it is now."""

    first_heard: Tick | None = None
    is_active: bool = False


class Promise(NamedTuple):
    """What is published on it between these places is stored, or in a gap. `upto` None: to the end."""

    channel: bytes
    since: int
    upto: int | None


class Copy(NamedTuple):
    """What PostgreSQL goes back to."""

    found: Mapping[int, Found]
    still_open: Mapping[bytes, int]
    gaps: int


class Table:
    """Channels that are listened to, each in a life that no channel had before.

    ticks:   how many there were when a life began
    gaps:    of single channels, by the places between which they lie
    """

    def __init__(self) -> None:
        self.rows: dict[bytes, Row] = {}
        self.ticks: dict[int, int] = {}
        self.gaps: list[tuple[bytes, int, int]] = []
        self._found: dict[int, Found] = {}
        self._still_open: dict[bytes, int] = {}
        self._over: list[Promise] = []

    # --- what operators do ---------------------------------------------------------------

    def turn_on(self, channel: bytes, policy: Policy, ticks: int) -> None:
        life = len(self.ticks) + 1
        self.rows[channel] = Row(policy, life)
        self.ticks[life] = ticks

    def turn_off(self, channel: bytes, confirmed: Tick | None, place: int) -> None:
        """What was not confirmed yet may not be read yet: of that the row says nothing (`listened_until`)."""
        life = self.rows.pop(channel).life
        if (first := self.found(life).first_heard) is not None and confirmed is not None:
            self._over.append(Promise(channel, first.calls, confirmed.calls))
        self._end(channel, place)

    def change(self, channel: bytes, policy: Policy) -> None:
        self.rows[channel] = Row(policy, self.rows[channel].life)

    # --- what leaders write --------------------------------------------------------------

    def begin(self, rows: Sequence[int], since: Tick | None) -> None:
        """A term: these lives are heard in it. `since`: up to there others have confirmed what they heard."""
        for channel, (_, life) in self.rows.items():
            found = self.found(life)
            if life in rows or found.first_heard is None:
                continue
            known = 0 if since is None else since.calls
            self._still_open.setdefault(channel, max(known, found.first_heard.calls))
            self._found[life] = replace(found, is_active=False)

    def hear(self, rows: Sequence[int], at: Tick) -> None:
        for channel, (_, life) in self.rows.items():
            if life in rows:
                self._found[life] = Found(self.found(life).first_heard or at, is_active=True)
                self._end(channel, at.calls)

    def refuse(self, row: int, since: Tick | None) -> None:
        for channel, (_, life) in self.rows.items():
            if life == row:
                self._found[life] = replace(self.found(life), is_active=False)
                self._still_open.setdefault(channel, 0 if since is None else since.calls)

    def miss(self, missed: Missed) -> None:
        if missed.why is Why.REFUSED and missed.channel in self._still_open:
            self._end(missed.channel, missed.after.calls)
        else:
            self.gaps.append((missed.channel, missed.before.calls, missed.after.calls))

    # --- what stands there ---------------------------------------------------------------

    def found(self, life: int) -> Found:
        return self._found.get(life, Found())

    @property
    def promises(self) -> list[Promise]:
        firsts = [(channel, self.found(life).first_heard) for channel, (_, life) in self.rows.items()]
        return self._over + [Promise(channel, first.calls, None) for channel, first in firsts if first]

    def is_missed(self, channel: bytes, place: int) -> bool:
        """Whether it lies in a gap of the channel."""
        if (began := self._still_open.get(channel)) is not None and began < place:
            return True
        return any(name == channel and before < place < after for name, before, after in self.gaps)

    def copy(self) -> Copy:
        return Copy(dict(self._found), dict(self._still_open), len(self.gaps))

    def restore(self, copy: Copy) -> None:
        self._found, self._still_open = dict(copy.found), dict(copy.still_open)
        del self.gaps[copy.gaps :]

    def _end(self, channel: bytes, place: int) -> None:
        if (began := self._still_open.pop(channel, None)) is not None:
            self.gaps.append((channel, began, max(began, place)))
