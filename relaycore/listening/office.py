"""What a leader does in its terms: it ticks, proves that it hears, and says what was missed.

What protects is proved, and by something that just happened. A leader's own tick that came back
proves that it hears. A standby's number beside the stream proves that it is whole
(`relaycore.listening.standbys`): without one a leader never retires, and it never retires while Redis takes
nothing, while something waits, or while a gap is not on record.
"""

from typing import Final

from relaycore.capturing.accounting import Missed, Why
from relaycore.capturing.policies import Changes
from relaycore.capturing.subscribing import Subscriptions
from relaycore.capturing.ticks import LEFT, Tick, TickState
from relaycore.listening.effects import (
    Active,
    Covered,
    Deafened,
    Drop,
    Effect,
    Forgotten,
    Lead,
    Mark,
    Publish,
    Settled,
    Silenced,
    Unheard,
)
from relaycore.listening.hearing import Hearing
from relaycore.listening.outside import Outside, Published
from relaycore.listening.pulse import Pulse
from relaycore.listening.standbys import Standbys
from relaycore.listening.transitions import State
from relaycore.refusals import missing_right

_UNHEARD_EVERY_SECONDS: Final = 1.0
_MOST_BOUNDED: Final = 50


class Office:
    """The terms of one listener, `name`. What is to be done is added to `out`.

    has_begun:    what is heard in this term may be written
    is_claimed:   the lease is, for the term that goes on
    tick_refusal: what Redis said when it refused a tick or a proof; empty if it has taken one since
    """

    def __init__(
        self,
        name: bytes,
        interval: float,
        hearing: Hearing,
        subscriptions: Subscriptions,
        out: list[Effect],
    ) -> None:
        self._election = hearing.election
        self._accounting = hearing.accounting
        self._subscriptions = subscriptions
        self._policies = subscriptions.policies
        self._out = out
        self.pulse = Pulse(interval)
        self.standbys = Standbys(name, interval)
        self.outside = Outside()
        self.has_begun = False
        self.has_room = True
        self.tick_refusal = ""
        self.is_claimed = False
        self._writes_before = self._writes_known = 0
        self._writes_beside: int | None = None
        self._announces = False
        self._silenced: dict[bytes, Tick] = {}
        self._newest_before = 0
        self._policies_before: int | None = None
        self._is_said_unheard = False
        self._unheard_at = 0.0

    @property
    def trouble(self) -> str:
        """What this listener cannot do, and what to do about it, in one sentence; empty if all is well."""
        if self.outside.why_shut:
            return f"Redis takes no commands from this listener: {self.outside.why_shut}"
        if refused := self._subscriptions.refused_internal:
            return _advise("SUBSCRIBE of its internal channels (&__relay:*)", refused)
        if self.tick_refusal:
            return _advise("the script that ticks (EVAL and the commands in it)", self.tick_refusal)
        if self.outside.refusal:
            return f"Redis takes nothing ({self.outside.refusal}): what is heard waits here, not stored."
        if not self.has_room:
            return "Redis is full (maxmemory): what is heard waits here, not stored."
        return ""

    # --- the term ------------------------------------------------------------------------

    def lead(self, epoch: int, now: float, *, claimed: bool, writes: int) -> None:
        """A term begins. Not `claimed`: PostgreSQL cannot be asked. `writes`: as in `claimed`."""
        self.is_claimed, self.has_begun = claimed, False
        self._writes_before, self._writes_beside = writes, None
        self._silenced.clear()
        self.standbys.lead()
        self.pulse.lead(now)
        self.tick_refusal = ""
        self.look_at_policies()
        self._out.append(Lead(epoch))

    def claimed(self, *, claimed: bool, writes: int) -> None:
        """The lease of the term that goes on is claimed, or it is not. `writes`: of it before the claim."""
        self.is_claimed, self._writes_before = claimed, writes
        self._settle()

    def went_back(self, writes: int) -> None:
        """PostgreSQL has acknowledged so many writes of the lease, and has fewer now."""
        self._writes_known = max(self._writes_known, writes)

    def end(self) -> None:
        """Lead no more."""
        self.is_claimed = self.has_begun = False
        self._silenced.clear()

    def follow_table(self, channel: bytes, *, is_over: bool) -> None:
        """The table says something of this channel. `is_over`: a life of it is, and what it was refused."""
        if is_over:
            self._silenced.pop(channel, None)
        self.look_at_policies()

    def look_at_policies(self) -> None:
        """Other policies are in force, or are wanted: the next tick may have something to announce."""
        self._announces = not self._policies.is_settled

    def follow_policies(self, tick: Tick) -> None:
        """A tick was heard: the policies that it announces are in force."""
        if tick.begins_anew:
            # Who joins now would read no policies beside the stream.
            self._policies.announce_again()
        if tick.changes:
            self._policies.follow(tick.changes)
            self._subscriptions.announced(channel for channel, _ in tick.changes)
        if tick.begins_anew or tick.changes:
            self.look_at_policies()

    # --- ticks ---------------------------------------------------------------------------

    def due_in(self, now: float) -> float:
        """Seconds until the next tick; infinity if none is due."""
        if not self._election.ticks or not self.outside.is_open:
            return float("inf")
        hurried = self._announces and self._election.state is State.LEADING
        return self.pulse.due_in(now, needed=self.standbys.audience > 0, hurried=hurried)

    def turn(self, now: float, newest: int) -> None:
        """Tick if it is time. `newest`: the number of the last tick that was heard."""
        if self.due_in(now) <= 0.0:
            self.pulse.tick(now)
            self._newest_before = newest
            is_leading = self._election.state is State.LEADING
            changes = self._policies.to_announce() if is_leading else ()
            # Somebody may delete them, and who joins then would wait for ever to hear them announced.
            is_settled = is_leading and self._policies.is_settled
            self._policies_before = len(self._policies.all_in_force) if is_settled else None
            self._announces = False
            self._publish(self._election.says, changes)
        if self.pulse.is_deaf(now):
            self.pulse.sound()
            self._out.append(Drop("Redis publishes ticks that do not arrive."))
        self.say_unheard(now, is_unheard=self.pulse.is_unheard(now))

    def say_left(self) -> None:
        """Tell the others that this leader has left."""
        self._publish(LEFT, answered=False)

    def _publish(self, says: TickState, changes: Changes = (), *, answered: bool = True) -> None:
        epoch, writes = self._election.epoch, self.outside.writes
        self._out.append(Publish(epoch, says, self._confirm(), changes, answered, writes))

    def published(self, answer: Published, now: float) -> None:
        """Redis has published a tick."""
        self.tick_refusal = ""
        self.has_room = answer.has_room
        if answer.number <= self._newest_before:
            self._out.append(Drop("Redis has lost its counter of ticks."))
        self.pulse.published(answer.number, now)
        self.standbys.learn(answer.number, answer.subscribers, answer.proofs, now)
        self._accounting.begun(answer.before)
        if self._writes_beside is None:  # Later ones are this term's own.
            self._writes_beside = answer.writes
        if None not in {self._policies_before, answer.policies} and self._policies_before != answer.policies:
            self._policies.announce_again()
            self.look_at_policies()

    # --- what is heard -------------------------------------------------------------------

    def heard(self, tick: Tick, now: float) -> None:
        """A tick was heard, and by it everything that was published before."""
        if self._election.ticks and tick.epoch == self._election.epoch:
            self.pulse.prove(now)
            self._heard_again(tick)
        rows = self._subscriptions.ticked()
        if rows and self._election.ticks:
            self._out += self._missed_while_refused({*rows}, tick)
            self._out.append(Active(rows, tick))

    def account(self, tick: Tick) -> None:
        """What was not heard before a tick is known now, and what was heard is to be confirmed."""
        self._out.append(Mark(tick))
        was_settled = self._accounting.is_settled
        for missed in self._accounting.heard(tick):
            # Without channels nothing can be missed; but what was said to be open is to be closed.
            if missed.why is Why.DEAF or not self._subscriptions.is_empty:
                self._out.append(missed)
        if self._accounting.is_settled and not was_settled:
            if self._accounting.is_whole:
                self._out.append(Covered(tick))
            elif self._accounting.is_forgotten and not self._subscriptions.is_empty:
                self._out.append(Forgotten(tick))
            self._settle()

    def deafened(self) -> None:
        """The data connection has ended: what comes now may be missed."""
        last = self._election.last
        if self._election.ticks and last is not None and not self._subscriptions.is_empty:
            self._out.append(Deafened(self._accounting.deafened(last)))

    def silence(self, channel: bytes) -> None:
        """Redis refuses this channel."""
        row = self._subscriptions.row(channel)
        if row is not None and self.has_begun:
            since = self._accounting.deaf_since or self._election.last
            if since is not None:
                self._silenced.setdefault(channel, since)
            self._out.append(Silenced(channel, row, self._subscriptions.refused[channel], since))

    def say_unheard(self, now: float, *, is_unheard: bool) -> None:
        """Have it on record, again and again, that nobody may be hearing."""
        if is_unheard and now >= self._unheard_at and not self._subscriptions.is_empty:
            self._unheard_at = now + _UNHEARD_EVERY_SECONDS
            self._is_said_unheard = self._election.ticks
            self._out.append(Unheard())

    # --- the way out ---------------------------------------------------------------------

    def may_retire(self, now: float) -> bool:
        """Whether somebody has proved to be there, and nothing depends on this listener alone."""
        outside, accounting = self.outside, self._accounting
        return (
            self._election.state is State.LEADING
            and self._subscriptions.is_complete
            and accounting.is_settled
            and not accounting.is_deaf
            and outside.on_record
            and not outside.waiting
            and not outside.refusal
            and self.has_room
            and not self.pulse.is_unheard(now)
            and self.has_proof(now)
        )

    def has_proof(self, now: float) -> bool:
        """Whether a standby has proved that it holds what is not confirmed, of every channel."""
        return self.standbys.has_proof(self._subscriptions.digest, now)

    # --- inside --------------------------------------------------------------------------

    def _missed_while_refused(self, rows: set[int], tick: Tick) -> list[Missed]:
        """What of these rows this term has seen refused, and hears from this tick on."""
        refused = [channel for channel in self._silenced if self._subscriptions.row(channel) in rows]
        ended = [(channel, self._silenced.pop(channel)) for channel in refused]
        if len(ended) > _MOST_BOUNDED:
            return []  # Their gaps end all the same, together; one after the other would take too long.
        return [Missed(since, tick, Why.REFUSED, channel) for channel, since in ended]

    def _heard_again(self, tick: Tick) -> None:
        """On a connection that has brought nothing for a while, and has not ended, nothing was missed."""
        if self._is_said_unheard and self._accounting.is_settled and not self._accounting.is_deaf:
            self._out.append(Covered(tick))
        self._is_said_unheard = False

    def _settle(self) -> None:
        """Once the term is claimed, and it is known where it has begun."""
        first = self._election.last
        if self.is_claimed and self._accounting.is_settled and first is not None and not self.has_begun:
            self.has_begun = True
            rows = self._subscriptions.heard_rows
            self._out.append(Settled(rows, self._accounting.since, first, self._forgotten))
            for channel in self._subscriptions.refused:
                self.silence(channel)

    @property
    def _forgotten(self) -> int:
        """What PostgreSQL has acknowledged it must have had when the lease was claimed."""
        acknowledged = max(self._writes_known, self._writes_beside or 0)
        return acknowledged if self._writes_before < acknowledged else 0

    def _confirm(self) -> Tick | None:
        return self._accounting.confirm(self.outside.stands, on_record=self.outside.on_record)


def _advise(what: str, error: str) -> str:
    lacking = missing_right(error)
    grant = f" Grant the user {lacking}." if lacking else ""
    return f"Redis refuses {what}: {error}.{grant}"
