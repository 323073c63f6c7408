"""What a listener does to lead its partition, and what only a leader does.

It claims the lease, ticks, says in the channel table what is heard, and records the
windows in which nobody heard. Who should lead is decided in `relaycore.election`.
"""

import logging
import math
import time
from collections.abc import Callable
from typing import Final

from django.db import Error as DatabaseError

from channels_app.listening.appender import Appender
from channels_app.listening.candidacy import Candidacy
from channels_app.listening.coverage import Coverage
from channels_app.listening.gaps import Covered, Losses, Opened, between
from channels_app.listening.roster import Roster
from channels_app.listening.ticker import Ticker
from channels_app.models import Gap
from leases_app.heartbeat import Heartbeat
from leases_app.leasing import Condition, Contender, Term
from relaycore.accounting import Missed, Why
from relaycore.election import Action, State
from relaycore.hearing import Hearing
from relaycore.ticks import LEADING, LEAVING, LEFT, Tick
from relaycore.ticks import State as TickState

log = logging.getLogger(__name__)

_LONGEST_SECONDS = 0.1
_LONGEST_LEADING_SECONDS = 0.5
"""A leader watches nobody's silence, and what it waits for wakes it, but for the request to end."""

_TICK_STATES: Final[dict[State, TickState]] = {
    State.LEADING: LEADING,
    State.LEAVING: LEAVING,
    State.LEFT: LEFT,
}
_CAUSES: Final[dict[Why, Gap.Cause]] = {
    Why.HOLE: Gap.Cause.NO_LISTENER,
    Why.DEAF: Gap.Cause.CONNECTION_LOST,
    Why.LATE: Gap.Cause.LATE,
}


class Leadership:
    """One listener's claims and terms. `turn` does what can be done now; nothing here waits."""

    def __init__(
        self,
        partition: int,
        contender: Contender,
        roster: Roster,
        coverage: Coverage,
        hearing: Hearing,
        appender: Appender,
        ticker: Ticker,
        report_given_up: Callable[[int], None],
    ) -> None:
        self._partition = partition
        self._roster = roster
        self._coverage = coverage
        self._hearing = hearing
        self._election = hearing.election
        self._accounting = hearing.accounting
        self._appender = appender
        self._ticker = ticker
        self._report_given_up = report_given_up
        self._candidacy = Candidacy(contender, partition)
        self._heartbeat: Heartbeat | None = None
        self._losses = Losses()
        self._proven_epoch = 0

    @property
    def is_held(self) -> bool:
        """Whether this listener ticks, and writes statuses and gaps."""
        return self._election.ticks

    @property
    def can_hand_over(self) -> bool:
        """Whether this listener leads and another one hears its ticks."""
        return self._election.state is State.LEADING and self._ticker.standbys > 0

    def stand(self) -> None:
        """Claim the lease at once: in a partition that nobody leads there is no silence to wait for."""
        self._candidacy.begin(None)

    def turn(self, now: float, *, caught_up: bool) -> Action | None:
        """Tick, and see whether somebody must be asked or has answered; what that leads to."""
        if self.is_held:
            if self._appender.confirmed is not None:
                self._election.appended(self._appender.confirmed.number)
            self._ticker.turn(now, _TICK_STATES[self._election.state], self._confirm())
        if self._election.state is State.LEADING and self._heartbeat is not None and self._heartbeat.lost:
            self.resign(now)
        if self._candidacy.is_over:
            self._take_outcome(now)
        elif self._candidacy.is_overdue and not self.is_held:
            self._lead_unconfirmed(now)
        self._note_losses()
        return self._election.turn(now, caught_up=caught_up, whole=self._hearing.is_whole)

    def due_in(self, now: float, *, connected: bool) -> float:
        """Seconds after which `turn` is due even if nothing comes in. `connected`: to hear something."""
        if not self.is_held:
            return _LONGEST_SECONDS
        is_calm = connected and self._appender.is_empty
        return min(self._ticker.due_in(now), _LONGEST_LEADING_SECONDS if is_calm else _LONGEST_SECONDS)

    def claim(self) -> None:
        """Claim the lease beyond the epoch that was heard."""
        self._candidacy.begin(self._election.seen or None)

    def leave(self, now: float) -> Action | None:
        """Go, after a hand-over if there is a standby."""
        return self._election.leave(now, standbys=self._ticker.standbys)

    def step_down(self) -> None:
        """Somebody else leads. What was heard is appended all the same."""
        log.info("partition %d: epoch %d leads now", self._partition, self._election.seen)
        self._end_term()

    def resign(self, now: float) -> None:
        """Go on as a standby."""
        self._end_term()
        self._hearing.resign(now)

    def close(self) -> None:
        """End the term. The lease is free at once."""
        self._note_losses(at_end=True)
        if self._heartbeat is not None:
            self._heartbeat.close()

    # --- what is found out -----------------------------------------------------------

    def give_up(self, messages: int) -> None:
        """So many messages were heard and had to be let go."""
        self._losses.add(messages)
        report = self._report_given_up if self._heartbeat is None else self._heartbeat.give_up
        report(messages)

    def deaf(self, now: float) -> Action | None:
        """The data connection has ended. What comes now is not heard here."""
        if not self.is_held:
            return None
        last, confirmed = self._election.last, self._confirm()
        if last is not None and not self._coverage.is_empty:
            since = self._accounting.deafened(last)
            self._roster.note(Opened(since.at, Gap.Cause.CONNECTION_LOST))
        if not self._ticker.standbys:
            return self._election.deafened()
        log.info("partition %d: hands over to a standby, which was not deaf", self._partition)
        self._ticker.resign(confirmed)
        self.resign(now)
        return None

    def heard(self, tick: Tick) -> None:
        """A tick was heard: what was not heard before it is known now."""
        was_settled = self._accounting.is_settled
        for missed in self._accounting.heard(tick):
            self._note(missed)
        if self._accounting.is_settled and not was_settled:
            if self._accounting.is_whole:
                self._roster.note(Covered())
            self._tell_roster()
        if self._heartbeat is not None and self._proven_epoch != self._election.epoch:
            self._proven_epoch = self._election.epoch
            self._heartbeat.beat_soon()

    def _note(self, missed: Missed) -> None:
        # Without channels nothing can be missed; but what was said to be open is to be closed.
        if missed.why is Why.DEAF or not self._coverage.is_empty:
            cause, channel = _CAUSES[missed.why], missed.channel.decode()
            self._roster.note(between(missed.before, missed.after, cause, channel))

    def _confirm(self) -> Tick | None:
        on_record = not self._losses and self._roster.has_recorded_all
        return self._accounting.confirm(self._appender.confirmed, on_record=on_record)

    def _note_losses(self, *, at_end: bool = False) -> None:
        lost = self._losses.take(at_end=at_end)
        if lost is not None:
            self._roster.note(lost)

    # --- the term --------------------------------------------------------------------

    def _take_outcome(self, now: float) -> None:
        beyond = self._candidacy.beyond
        try:
            term = self._candidacy.take()
        except DatabaseError as exc:
            log.warning("partition %d: PostgreSQL cannot be asked who leads: %s", self._partition, exc)
            self._lead_unconfirmed(now)
            if self.is_held:
                self._candidacy.begin(beyond)
            return
        if term is None:
            if self.is_held:  # It has led unconfirmed, and somebody else has the lease.
                self.resign(now)
            self._election.refused(now)
        elif self.is_held and term.epoch == self._election.epoch:
            self._begin(term)
        else:
            self._lead(term.epoch, term, now)

    def _lead_unconfirmed(self, now: float) -> None:
        """PostgreSQL is away: go on from the leader that was heard, and claim the lease when it is back."""
        if self.is_held:
            return
        if self._election.last is None:
            self._election.refused(now)
        else:
            self._lead(self._election.seen + 1, None, now)

    def _lead(self, epoch: int, term: Term | None, now: float) -> None:
        heard = self._hearing.take_over(epoch)
        if heard is None:
            return
        log.info("partition %d: leads, epoch %d%s", self._partition, epoch, "" if term else ", unconfirmed")
        self._appender.epoch = epoch
        self._appender.add(heard.pieces, now)
        if self._election.last is not None:
            self._appender.mark(self._election.last)
        self._ticker.lead(epoch, self._accounting.begun)
        if term is not None:
            self._begin(term)

    def _begin(self, term: Term) -> None:
        self._heartbeat = Heartbeat(term, self._condition)
        self._heartbeat.start()
        self._tell_roster()

    def _condition(self) -> Condition:
        heard_seconds_ago = time.monotonic() - self._ticker.heard_at
        return Condition(heard_seconds_ago if math.isfinite(heard_seconds_ago) else None)

    def _tell_roster(self) -> None:
        """Once the term is confirmed, and it is known where it has begun."""
        if self._heartbeat is not None and self._accounting.is_settled:
            since = self._accounting.since
            self._roster.lead(
                self._heartbeat.term, self._coverage.heard_rows, None if since is None else since.at
            )

    def _end_term(self) -> None:
        """The lease is not released: whoever has heard everything takes it over, nobody else."""
        if self._heartbeat is not None:
            self._heartbeat.end(release=False)
            self._heartbeat = None
        self._roster.follow()
