"""What one listener has to put on record: what was not heard, and what it had to give up."""

from collections.abc import Callable
from typing import Final

from channels_app.listening.recording.losses import GivenUp, Losses
from channels_app.listening.recording.notes import CoveredUntil, ForgottenUntil, Opened, between
from channels_app.listening.recording.roster import Roster
from channels_app.models import Gap
from leases_app.heartbeat import Heartbeat
from relaycore.capturing.accounting import Missed, Why
from relaycore.capturing.ticks import Tick
from relaycore.listening import effects

_CAUSES: Final[dict[Why, Gap.Cause]] = {
    Why.HOLE: Gap.Cause.NO_LISTENER,
    Why.DEAF: Gap.Cause.CONNECTION_LOST,
    Why.LATE: Gap.Cause.LATE,
    Why.REFUSED: Gap.Cause.REFUSED,
}


class Record:
    """Notes for the roster, which writes them. `report_given_up` counts what was given up beside that."""

    def __init__(self, roster: Roster) -> None:
        self.roster = roster
        self._losses = Losses()
        self._heartbeat: Heartbeat | None = None
        self.report_given_up: Callable[[int], object] = int

    @property
    def is_complete(self) -> bool:
        """Whether PostgreSQL has all of it."""
        return not self._losses and self.roster.has_recorded_all

    def follow(self, heartbeat: Heartbeat | None) -> None:
        """What is given up from now on is counted with this term; None: with the seat."""
        self._heartbeat = heartbeat

    def note(self, effect: effects.Effect) -> None:
        """Something about a gap."""
        match effect:
            case Missed(before, after, why, channel):
                self.roster.note(between(before, after, _CAUSES[why], channel.decode()))
            case effects.Deafened(since):
                self.roster.note(Opened(since.at, Gap.Cause.CONNECTION_LOST))
            case effects.Covered(first):
                self.roster.note(CoveredUntil(first.at))
            case effects.Forgotten(first):
                self.roster.note(ForgottenUntil(first.at))

    def give_up(self, messages: int, since: Tick | None) -> None:
        """So many messages were heard after this tick, and had to be let go."""
        self._losses.add(messages, since)
        (self.report_given_up if self._heartbeat is None else self._heartbeat.give_up)(messages)

    def heard(self, tick: Tick) -> None:
        """Everything that was heard before this tick was appended, waits for that, or was given up."""
        self._note(self._losses.heard(tick))

    def close(self) -> None:
        """No tick will come for what was given up."""
        self._note(self._losses.close())

    def _note(self, lost: GivenUp | None) -> None:
        if lost is not None:
            self.roster.note(lost)
