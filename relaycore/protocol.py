"""One listener, without sockets, threads, clocks, leases or tables: the one door to what decides.

What happened goes in (what was heard, what was answered, what the table says, what time it is); what is
to be done comes out of `take`, in order. The listener of `channels_app.listening` does it on real
servers, the simulator of the tests on played ones, and both drive this same class.

A connection's beginning
    Internal channels, then `Locate`: Redis is asked for its counter of ticks and for the policies in
    force. Ticks up to that number are no news, whoever publishes them again, and every message of a
    channel comes after it, since only then are the channels subscribed. When Redis has answered for
    each of them the connection is covered, and a tick that is heard proves that everything is heard.

Proof
    What protects is proved, and by something that just happened. A leader's own tick that came back
    proves that it hears (`heard_seconds_ago`). A standby's number beside the stream proves that it is
    whole (`relaycore.standbys`): without one a leader never retires, and it never retires while Redis
    takes nothing or something waits. A leader that is deaf, on the other hand, gives way to whoever may
    be there: it protects nothing.

Two servers
    The connection on which is heard and the one for commands must lead to one server. After a failover
    they may not: a standby drops its own at once, a leader once a standby has moved, or after a while.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from relaycore.accounting import Why
from relaycore.capture import (
    Capture,
    Controlled,
    Event,
    Heard,
    Push,
    Refused,
    Subscribed,
    Ticked,
    Unsubscribed,
)
from relaycore.effects import (
    Active,
    Append,
    Ask,
    Claim,
    Covered,
    Deafened,
    Drop,
    Effect,
    Forgotten,
    Lead,
    Locate,
    Look,
    Mark,
    Overflow,
    Prove,
    Publish,
    Settled,
    Silenced,
    Unheard,
)
from relaycore.election import Action, State
from relaycore.hearing import Hearing
from relaycore.policies import Policies
from relaycore.policy import Policy
from relaycore.pulse import UNHEARD_SECONDS, Pulse
from relaycore.refusals import Refusal, classify, missing_right
from relaycore.standbys import Standby, Standbys
from relaycore.subscribing import Subscriptions
from relaycore.ticks import LEFT, Tick

_LOCATE_SECONDS: Final = 0.3
_UNHEARD_EVERY_SECONDS: Final = 1.0
_MOVE_SECONDS: Final = 2.0
"""So long a leader that hears on another server than it writes to waits for a standby that has moved."""

_RETIRE_AGAIN_SECONDS: Final = 10.0
_CONNECT_EVERY_SECONDS: Final = 0.5
_CLAIM_AGAIN_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Outside:
    """How things stand outside.

    is_open:   commands can be given
    why_shut:  why not; empty if they can
    stands:    everything heard before this tick is on the stream, or was given up
    waiting:   messages that are not on the stream yet
    on_record: everything that was missed so far is on record for good
    refusal:   what Redis said when it last refused to append; empty if it has taken it since
    """

    is_open: bool = False
    why_shut: str = ""
    stands: Tick | None = None
    waiting: int = 0
    on_record: bool = True
    refusal: str = ""


class ListenerProtocol:
    """The decisions of one listener of one partition. `name` is unique to it."""

    def __init__(self, name: bytes, capture: Capture, interval: float, hold_bytes: int) -> None:
        self._policies = Policies()
        self._subscriptions = Subscriptions((capture.control_channel, capture.tick_channel), self._policies)
        self._hearing = Hearing(capture, interval, hold_bytes)
        self._election = self._hearing.election
        self._accounting = self._hearing.accounting
        self._pulse = Pulse(interval)
        self._standby = Standby()
        self._standbys = Standbys(name, interval)
        self._out: list[Effect] = []
        self._outside = Outside()
        self._connection = b""
        self._early: list[Tick] | None = None
        self._locates_at = 0.0
        self._server = self._command_server = self._writes_to = ""
        self._is_dropped = False
        self._is_misled = False
        self._connects_at = float("-inf")
        self._moves_at: float | None = None
        self._is_claimed = False
        self._has_begun = False
        self._has_room = True
        self._tick_refusal = ""
        self._newest_before = 0
        self._unheard_at = 0.0
        self._is_said_unheard = False
        self._heard_at: float | None = None
        self._claims_at = float("-inf")
        self._retires_at = float("-inf")
        self._announces = False
        self._is_remembered = False

    # --- what can be seen ----------------------------------------------------------------

    @property
    def state(self) -> State:
        """Where this listener stands."""
        return self._election.state

    @property
    def leads(self) -> bool:
        """Whether it ticks, and writes statuses and gaps."""
        return self._election.ticks

    @property
    def is_leaving(self) -> bool:
        """Whether it is on its way out."""
        return self._election.hands_over

    @property
    def is_covered(self) -> bool:
        """Whether its connection hears every channel, but for those that Redis refuses."""
        return self._subscriptions.is_covered

    @property
    def protects(self) -> bool:
        """Whether nothing is lost that is published now, if everybody else ends now."""
        if not self._subscriptions.is_covered:
            return False
        if self.state is State.LEADING:
            accounting = self._accounting
            return self._election.last is not None and accounting.is_settled and not accounting.is_deaf
        return self.state is State.FOLLOWING and self._hearing.is_whole

    @property
    def epoch(self) -> int:
        """Of its own latest term."""
        return self._election.epoch

    def heard_seconds_ago(self, now: float) -> float | None:
        """How old the proof is that this leader hears everything; None if its term has none yet."""
        return now - self._pulse.heard_at if self.leads and self._has_begun else None

    @property
    def known_until(self) -> Tick | None:
        """What was published before this tick stands on the stream, or is on record as missed."""
        return self._accounting.confirmed if self.leads and self._has_begun else None

    def has_proof(self, now: float) -> bool:
        """Whether a standby has proved within the last ticks that it holds what is not confirmed."""
        return self._standbys.has_proof(now)

    @property
    def trouble(self) -> str:
        """What this listener cannot do, and what to do about it, in one sentence; empty if all is well."""
        if self._outside.why_shut:
            return f"Redis takes no commands from this listener: {self._outside.why_shut}"
        if refused := self._subscriptions.refused_internal:
            return _advise("SUBSCRIBE of its internal channels (&__relay:*)", refused)
        if self._tick_refusal:
            return _advise("the script that ticks (EVAL and the commands in it)", self._tick_refusal)
        if self._outside.refusal:
            return f"Redis takes nothing ({self._outside.refusal}): what is heard waits here, not stored."
        if not self._has_room:
            return "Redis is full (maxmemory): what is heard waits here, not stored."
        return ""

    def due_in(self, now: float) -> float:
        """Seconds until the next tick; infinity if none is due."""
        if not self.leads or not self._outside.is_open:
            return float("inf")
        return self._pulse.due_in(now, needed=self._standbys.audience > 0, hurried=self._hurries)

    def take(self) -> list[Effect]:
        """What is to be done, in order."""
        for command in self._subscriptions.take():
            self._out.append(command)
        out, self._out = self._out, []
        return out

    # --- the table -----------------------------------------------------------------------

    def want(self, channel: bytes, policy: Policy, row: int) -> None:
        """The table has this channel, under this policy. Another `row` is another life of it."""
        self._subscriptions.want(channel, policy, row)
        self._hearing.capture.want(channel)
        self._announces = self._announces or self._policies.is_pending(channel)

    def unwant(self, channel: bytes) -> None:
        """The table has this channel no more."""
        if self._subscriptions.unwant(channel):
            self._hearing.capture.let_go(channel)
        self._announces = self._announces or self._policies.is_pending(channel)

    # --- the connections -----------------------------------------------------------------

    def connected(self, connection: bytes, now: float) -> None:
        """There is a data connection; it has a name of its own."""
        self._connection, self._server = connection, ""
        self._is_dropped = False
        self._early = []
        self._locates_at = now
        self._subscriptions.connected(now, keeps=self.leads)
        self._pulse.sound()

    def disconnected(self, now: float) -> None:
        """The data connection has ended. What comes now is not heard here."""
        self._server = ""
        self._early = None
        self._subscriptions.disconnected()
        last = self._election.last
        if self.leads and last is not None and not self._subscriptions.is_empty:
            self._out.append(Deafened(self._accounting.deafened(last)))
        self._do(self._election.cut(now, somebody=self._standbys.audience > 0), now)

    def data_leads_to(self, server: str) -> None:
        """The data connection leads to this server."""
        if not self._is_dropped:
            self._server = server

    def commands_lead_to(self, server: str) -> None:
        """The connection for commands leads to this server; empty: there is none."""
        if server and server != self._writes_to:
            # What was proved elsewhere says nothing about who has moved there.
            self._standbys.distrust()
            self._writes_to = server
        self._command_server = server

    def located(
        self, connection: bytes, number: int | None, policies: Mapping[bytes, Policy], now: float
    ) -> None:
        """Redis' counter of ticks, and then the policies in force; None if it could not be asked."""
        if number is None or connection != self._connection or self._early is None:
            return
        early = [tick for tick in self._early if tick.number > number]
        self._early = None
        self._policies.restart(policies)
        for tick in early:
            self._policies.follow(tick.changes)
        newest = max([number, *(tick.number for tick in early)])
        self._do(self._hearing.joined(connection, newest, self._policies.all_in_force, now), now)
        self._subscriptions.located()
        self._announces = not self._policies.is_settled

    # --- what is heard -------------------------------------------------------------------

    def hear(self, pushes: Sequence[Push], size: int, now: float, now_ms: int) -> None:
        """One read brought these replies, `size` bytes. `now_ms`: since 1970, UTC."""
        if size:
            self._pulse.sound()
        if self._early is not None:
            self._hear_early(pushes, now)
            return
        covered = self._subscriptions.is_covered
        step = self._hearing.hear(pushes, size, now, now_ms, covered=covered)
        if step.overflow:
            self._out.append(Overflow())
        self._relay(step.heard)
        for event in step.heard.events:
            self._react(event, now, covered=covered)
        self._do(step.actions, now)

    def _hear_early(self, pushes: Sequence[Push], now: float) -> None:
        """No channel is subscribed yet, and no tick can be told from one that somebody publishes again."""
        for push in pushes:
            event = self._hearing.capture.read(push, anew=True)
            if isinstance(event, Ticked) and self._early is not None:
                self._early.append(event.tick)
            elif event is not None:
                self._react(event, now, covered=False)

    def _relay(self, heard: Heard) -> None:
        if heard.pieces:
            self._pulse.stir()
            self._out.append(Append(heard.pieces))

    def _react(self, event: Event, now: float, *, covered: bool) -> None:
        match event:
            case Ticked(tick):
                self._ticked(tick, now, covered=covered)
            case Subscribed(channel):
                self._pulse.stir()
                self._subscriptions.answered(channel, subscribed=True)
            case Unsubscribed(channel):
                self._subscriptions.answered(channel, subscribed=False)
            case Controlled(notice):
                self._out.append(Look(notice))
            case Refused(text):
                self._refused(text)

    def _ticked(self, tick: Tick, now: float, *, covered: bool) -> None:
        self._pulse.hear(tick.number)
        self._standbys.hear(tick.number)
        if tick.changes:
            self._policies.follow(tick.changes)
            self._subscriptions.announced(channel for channel, _ in tick.changes)
            self._announces = not self._policies.is_settled
        if not covered:
            return
        self._heard_at = now
        if self.leads and tick.epoch == self._election.epoch:
            self._pulse.prove(now)
            self._heard_again(tick)
        rows = self._subscriptions.ticked()
        if rows and self.leads:
            self._out.append(Active(rows, tick))
        if self._election.confirms(tick):
            self._out.append(Mark(tick))
            self._account(tick)
        elif self.state is State.FOLLOWING and self._standby.proves(
            tick.number, whole=self._hearing.is_whole and self._server == self._command_server
        ):
            self._out.append(Prove(tick.number))

    def _heard_again(self, tick: Tick) -> None:
        """On a connection that has brought nothing for a while, and has not ended, nothing was missed."""
        if self._is_said_unheard and self._accounting.is_settled and not self._accounting.is_deaf:
            self._out.append(Covered(tick))
        self._is_said_unheard = False

    def _account(self, tick: Tick) -> None:
        """What was not heard before a tick that was heard is known now."""
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

    def _settle(self) -> None:
        """Once the term is claimed, and it is known where it has begun."""
        first = self._election.last
        if self._is_claimed and self._accounting.is_settled and first is not None and not self._has_begun:
            self._has_begun = True
            self._out.append(Settled(self._subscriptions.heard_rows, self._accounting.since, first))
            for channel in self._subscriptions.refused:
                self._silence(channel)

    def _refused(self, text: str) -> None:
        channel = self._subscriptions.refuse(text)
        if channel is not None and self._has_begun:
            self._silence(channel)

    def _silence(self, channel: bytes) -> None:
        row, text = self._subscriptions.row(channel), self._subscriptions.refused[channel]
        if row is not None:
            since = self._accounting.deaf_since or self._election.last
            self._out.append(Silenced(channel, row, text, since))

    # --- what is answered ----------------------------------------------------------------

    def published(
        self,
        number: int,
        subscribers: int,
        proofs: Mapping[bytes, int],
        before: Tick | None,
        now: float,
        *,
        has_room: bool,
    ) -> None:
        """Redis has published a tick.

        subscribers: how many connections subscribe the channel of ticks
        proofs:      which standbys were whole, at which tick
        before:      the last tick that was confirmed until then
        has_room:    Redis takes what is appended
        """
        self._tick_refusal = ""
        self._has_room = has_room
        if number <= self._newest_before:
            self._out.append(Drop("Redis has lost its counter of ticks."))
        self._pulse.published(number, now)
        self._standbys.learn(number, subscribers, proofs, now)
        self._accounting.begun(before)
        if before is None and self._is_remembered:
            # Redis has forgotten what stands beside the stream: who joins now would read no policies.
            self._policies.announce_again()
            self._announces = not self._policies.is_settled
        self._is_remembered = before is not None

    def not_published(self, error: str) -> None:
        """A tick could not be published; `error` is empty where it is not known."""
        self._pulse.failed()
        if error and not self.fails(error):
            self._tick_refusal = error

    def proved(self, error: str) -> None:
        """The proof of a standby is written; `error` is what Redis said if it is not."""
        if not error or not self.fails(error):
            self._tick_refusal = error

    def fails(self, error: str) -> bool:
        """Redis has answered a command with this error; whether it is the wrong server."""
        if classify(error) is not Refusal.WRONG_SERVER:
            return False
        self._is_misled = True
        return True

    def counted(self, counter: int | None, now: float) -> None:
        """Redis' counter of ticks; None if it could not be asked."""
        self._do(self._election.counted(counter, now), now)

    # --- the lease -----------------------------------------------------------------------

    def won(self, epoch: int, now: float, *, claimed: bool = True) -> None:
        """The term of this epoch is its own. Not `claimed`: PostgreSQL cannot be asked."""
        if self.leads and epoch == self._election.epoch:
            self._is_claimed = claimed
            self._settle()
            return
        whole = self._hearing.is_whole
        actions = self._election.won(epoch)
        if not actions:
            return
        self._is_claimed, self._has_begun = claimed, False
        last = self._election.last
        for action in actions:
            if action is Action.LEAD:
                self._lead(epoch, last, now, whole=whole)
            else:
                self._do((action,), now)

    def refused(self, now: float) -> None:
        """Somebody else has the lease."""
        self._do(self._election.refused(now), now)

    def unclaimed(self, now: float, *, again: bool) -> None:
        """PostgreSQL does not say who leads: go on from the leader that was heard, unconfirmed.

        `again`: that claim is over, so another one is needed.
        """
        if not self.leads:
            if self._election.last is None:
                self.refused(now)
                return
            self.won(self._election.seen + 1, now, claimed=False)
        if again and self.leads:
            self._out.append(Claim(self._election.seen or None))

    def lost(self, now: float) -> None:
        """The lease could not be renewed: somebody else has it."""
        self._do(self._election.lost(now), now)

    def _lead(self, epoch: int, last: Tick | None, now: float, *, whole: bool) -> None:
        self._standbys.lead()
        self._pulse.lead(now)
        self._tick_refusal = ""
        self._is_remembered = True
        self._announces = not self._policies.is_settled
        self._out.append(Lead(epoch))
        self._relay(self._hearing.lead(epoch, whole=whole))
        if last is not None:
            self._out.append(Mark(last))

    # --- time ----------------------------------------------------------------------------

    def turn(self, now: float, outside: Outside, *, caught_up: bool) -> None:
        """Look at the time. `caught_up`: everything that has come in was read just now."""
        self._outside = outside
        self._connect(now)
        if self.leads:
            self._lead_on(now)
        elif self.state is not State.ENDED:
            self._heard_at = now if self._heard_at is None else self._heard_at
            self._say_unheard(now, now - self._heard_at > UNHEARD_SECONDS)
        covered = self._subscriptions.is_attached
        self._do(self._election.turn(now, caught_up=caught_up and covered, whole=self._hearing.is_whole), now)

    def retire(self, now: float) -> None:
        """Its life is over: hand over, if that is safe now, and go on if it is not."""
        if now >= self._retires_at and self._may_retire(now):
            self._retires_at = now + _RETIRE_AGAIN_SECONDS
            self._do(self._election.retire(now), now)

    def stop(self, now: float) -> None:
        """Go, after a hand-over if there may be somebody. To be called until the state is ENDED."""
        self._do(self._election.stop(now, somebody=self._standbys.audience > 0), now)

    def _may_retire(self, now: float) -> bool:
        outside, accounting = self._outside, self._accounting
        return (
            self.state is State.LEADING
            and self._subscriptions.is_covered
            and accounting.is_settled
            and not accounting.is_deaf
            and outside.on_record
            and not outside.waiting
            and not outside.refusal
            and self._has_room
            and not self._pulse.is_unheard(now)
            and self._standbys.has_proof(now)
        )

    def _connect(self, now: float) -> None:
        """What the data connection still needs."""
        self._subscriptions.turn(now)
        if self._is_misled and now >= self._connects_at:
            self._is_misled = False
            self._connects_at = now + _CONNECT_EVERY_SECONDS
            self._out.append(Ask.CONNECT)
        if not self._server or not self._command_server:
            return
        if self._server == self._command_server:
            self._moves_at = None
            if self._early is not None and self._subscriptions.is_attached and now >= self._locates_at:
                self._locates_at = now + _LOCATE_SECONDS
                self._out.append(Locate(self._connection))
            return
        if self._moves_at is None:
            self._moves_at = now + _MOVE_SECONDS
        if not self.leads or self._standbys.has_proof(now) or now >= self._moves_at:
            self._moves_at = None
            self._server = ""
            self._is_dropped = True
            self._out.append(Drop("it leads to another server than the one that takes writes."))

    def _lead_on(self, now: float) -> None:
        if self._outside.stands is not None:
            self._do(self._election.stands(self._outside.stands.number), now)
        if self.due_in(now) <= 0.0:
            self._pulse.tick(now)
            self._newest_before = self._hearing.newest
            changes = self._policies.to_announce() if self.state is State.LEADING else ()
            self._announces = False
            self._out.append(Publish(self._election.epoch, self._election.says, self._confirm(), changes))
        if self._pulse.is_deaf(now):
            self._pulse.sound()
            self._out.append(Drop("Redis publishes ticks that do not arrive."))
        self._say_unheard(now, self._pulse.is_unheard(now))

    def _say_unheard(self, now: float, is_unheard: bool) -> None:
        if is_unheard and now >= self._unheard_at and not self._subscriptions.is_empty:
            self._unheard_at = now + _UNHEARD_EVERY_SECONDS
            self._is_said_unheard = self.leads
            self._out.append(Unheard())

    @property
    def _hurries(self) -> bool:
        return self._announces and self.state is State.LEADING

    def _confirm(self) -> Tick | None:
        return self._accounting.confirm(self._outside.stands, on_record=self._outside.on_record)

    # --- what the election asks for ------------------------------------------------------

    def _do(self, actions: Sequence[Action], now: float) -> None:
        for action in actions:
            match action:
                case Action.ASK:
                    self._out.append(Ask.COUNT)
                case Action.REJOIN:
                    self._out.append(Drop("Redis publishes ticks that do not arrive."))
                case Action.CLAIM:
                    self._claim(now)
                case Action.TAKE_BACK:
                    self._relay(self._hearing.take_back())
                case Action.SAY_LEFT:
                    self._out.append(Publish(self._election.epoch, LEFT, self._confirm(), answered=False))
                case Action.RESIGN:
                    self._hearing.resign()
                    self._end_term()
                case Action.STEP_DOWN:
                    self._end_term()

    def _claim(self, now: float) -> None:
        """Who was refused to tick leaves it to others for a while: they may be able to."""
        if self._tick_refusal and now < self._claims_at:
            self._do(self._election.refused(now), now)
            return
        self._claims_at = now + _CLAIM_AGAIN_SECONDS
        self._out.append(Claim(self._election.seen or None))

    def _end_term(self) -> None:
        self._is_claimed = self._has_begun = False
        self._out.append(Ask.END_TERM)


def _advise(what: str, error: str) -> str:
    lacking = missing_right(error)
    grant = f" Grant the user {lacking}." if lacking else ""
    return f"Redis refuses {what}: {error}.{grant}"
