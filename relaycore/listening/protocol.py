"""One listener, without sockets, threads, clocks, leases or tables: the one door to what decides.

What happened goes in (what was heard, what was answered, what the table says, what time it is); what is
to be done comes out of `take`, in order. The listener does it on real servers, the simulator on played ones.

It joins what decides: how connections begin (`relaycore.listening.attachment`), what is subscribed on them
(`subscribing`), what is relayed and what is held (`hearing`), who leads (`election`), what follows from
that (`candidate`), and what a leader does in its terms (`office`).

When Redis has answered for each channel the connection is covered: from then on a tick that is heard
proves that all is heard. A leader whose connection ends gives way to whoever may be there: it protects
nothing. A leader that could go on gives way only to a standby that has proved to be whole.
"""

from collections.abc import Mapping, Sequence

from relaycore.capturing import capture as heard
from relaycore.capturing.capture import Capture, Push
from relaycore.capturing.notices import Look
from relaycore.capturing.policies import Policies
from relaycore.capturing.subscribing import Subscriptions
from relaycore.capturing.ticks import Tick
from relaycore.listening.attachment import Attachment
from relaycore.listening.candidate import Candidate
from relaycore.listening.effects import Effect, Overflow, Prove, TableChanged
from relaycore.listening.hearing import Hearing
from relaycore.listening.office import Office
from relaycore.listening.outside import Outside, Published
from relaycore.listening.pulse import UNHEARD_SECONDS
from relaycore.listening.standbys import Standby
from relaycore.listening.transitions import State
from relaycore.policy import Policy


class ListenerProtocol:
    """The decisions of one listener of one partition. `name` is unique to it. `term`: as in `located`."""

    def __init__(
        self, name: bytes, capture: Capture, interval: float, hold_bytes: int, *, term: int = 0
    ) -> None:
        self._out: list[Effect] = []
        self._policies = Policies()
        self._subscriptions = Subscriptions((capture.control_channel, capture.tick_channel), self._policies)
        self._hearing = Hearing(capture, interval, hold_bytes)
        self._election = self._hearing.election
        self._accounting = self._hearing.accounting
        self._attachment = Attachment()
        self._office = Office(name, interval, self._hearing, self._subscriptions, self._out)
        self._candidate = Candidate(self._hearing, self._office, self._out)
        self._candidate.fenced(term)
        self._standby = Standby()
        self._heard_at: float | None = None

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
    def epoch(self) -> int:
        """Of its own latest term."""
        return self._election.epoch

    @property
    def is_covered(self) -> bool:
        """Whether its connection hears every channel, but for those that Redis refuses."""
        return self._subscriptions.is_covered

    def heard_seconds_ago(self, now: float) -> float | None:
        """How old the proof is that this leader hears everything; None if its term has none yet."""
        return now - self._office.pulse.heard_at if self.leads and self._office.has_begun else None

    @property
    def known_until(self) -> Tick | None:
        """What was published before this tick stands on the stream, or is on record as missed."""
        return self._accounting.confirmed if self.leads and self._office.has_begun else None

    def has_proof(self, now: float) -> bool:
        """Whether a standby has proved that it holds what is not confirmed."""
        return self._office.has_proof(now)

    @property
    def trouble(self) -> str:
        """What this listener cannot do, and what to do about it, in one sentence; empty if all is well."""
        return self._office.trouble

    def due_in(self, now: float) -> float:
        """Seconds until the next tick; infinity if none is due."""
        return self._office.due_in(now)

    def take(self) -> list[Effect]:
        """What is to be done, in order."""
        self._out += self._subscriptions.take()
        out = self._out.copy()
        self._out.clear()
        return out

    # --- the table -----------------------------------------------------------------------

    def want(self, channel: bytes, policy: Policy, row: int) -> None:
        """The table has this channel, under this policy. Another `row` is another life of it."""
        is_new = self._subscriptions.want(channel, policy, row)
        self._hearing.capture.want(channel)
        self._office.follow_table(channel, is_over=is_new)

    def unwant(self, channel: bytes) -> None:
        """The table has this channel no more."""
        if self._subscriptions.unwant(channel):
            self._hearing.capture.let_go(channel)
        self._office.follow_table(channel, is_over=True)

    # --- the connections -----------------------------------------------------------------

    def connected(self, connection: bytes, now: float) -> None:
        """There is a data connection; it has a name of its own."""
        self._attachment.connected(connection, now)
        self._subscriptions.connected(now, keeps=self.leads)
        self._office.pulse.sound()

    def disconnected(self, now: float) -> None:
        """The data connection has ended. What comes now is not heard here."""
        self._attachment.disconnected()
        self._subscriptions.disconnected()
        self._office.deafened()
        self._candidate.follow(self._election.cut(now, somebody=self._office.standbys.audience > 0), now)

    def data_leads_to(self, server: str) -> None:
        """The data connection leads to this server."""
        self._attachment.data_leads_to(server)

    def commands_lead_to(self, server: str) -> None:
        """The connection for commands leads to this server; empty: there is none."""
        if self._attachment.commands_lead_to(server):
            # What was proved elsewhere says nothing about who has moved there.
            self._office.standbys.distrust()

    def located(
        self,
        connection: bytes,
        number: int | None,
        policies: Mapping[bytes, Policy],
        now: float,
        term: int,
        echoes: int,
    ) -> None:
        """Redis' counter of ticks, None if nobody knows; policies in force; highest epoch; last echo."""
        self._candidate.fenced(term)
        news = self._attachment.located(connection, number)
        if number is None or news is None:
            return
        self._policies.restart(policies)
        for tick in news:
            self._policies.follow(tick.changes)
        newest = max([number, *(tick.number for tick in news)])
        echoes = max(echoes, self._attachment.newest_echo)
        joined = self._hearing.joined(connection, newest, self._policies.all_in_force, now, echoes)
        self._candidate.follow(joined, now)
        self._subscriptions.located()
        self._office.look_at_policies()

    # --- what is heard -------------------------------------------------------------------

    def hear(self, pushes: Sequence[Push], size: int, now: float, now_ms: int) -> None:
        """One read brought these replies, `size` bytes. `now_ms`: since 1970, UTC."""
        if size:
            self._office.pulse.sound()
        if self._attachment.is_early:
            self._hear_early(pushes, now)
            return
        covered = self.is_covered
        step = self._hearing.hear(pushes, size, now, now_ms, covered=covered)
        if step.overflow:
            self._out.append(Overflow())
        self._candidate.relay(step.heard)
        for event in step.heard.events:
            self._react(event, now, covered=covered)
        self._candidate.follow(step.actions, now)

    def _hear_early(self, pushes: Sequence[Push], now: float) -> None:
        """No channel is subscribed yet, and no tick can be told from one that somebody publishes again."""
        for push in pushes:
            event = self._hearing.capture.read(push, anew=True)
            if event is not None and not self._attachment.keeps(event):
                self._react(event, now, covered=False)

    def _react(self, event: heard.Event, now: float, *, covered: bool) -> None:
        match event:
            case heard.Ticked(tick):
                self._ticked(tick, now, covered=covered)
            case heard.Subscribed(channel):
                self._office.pulse.stir()
                self._subscriptions.answered(channel, subscribed=True)
            case heard.Unsubscribed(channel):
                self._subscriptions.answered(channel, subscribed=False)
            case heard.Controlled(Look() as look):
                self._out.append(TableChanged(look))
            case heard.Refused(text):
                if (refused := self._subscriptions.refuse(text)) is not None:
                    self._office.silence(refused)

    def _ticked(self, tick: Tick, now: float, *, covered: bool) -> None:
        self._office.pulse.hear(tick.number)
        self._office.standbys.hear(tick.number)
        self._office.follow_policies(tick)
        if not covered:
            return
        self._heard_at = now
        self._office.heard(tick, now)
        if self._election.confirms(tick):
            self._office.account(tick)
        elif self.state is State.FOLLOWING:
            self._prove(tick.number)

    def _prove(self, number: int) -> None:
        digest = self._subscriptions.digest
        whole = self._hearing.is_whole and self._subscriptions.is_complete and self._attachment.is_sound
        if self._standby.proves(number, digest, whole=whole):
            self._out.append(Prove(number, digest))

    # --- what is answered ----------------------------------------------------------------

    def published(self, answer: Published, now: float) -> None:
        """Redis has published a tick."""
        self._office.published(answer, now)
        self._candidate.fenced(answer.term)

    def not_published(self, error: str) -> None:
        """A tick could not be published; `error` is empty where it is not known."""
        self._office.pulse.failed()
        if error and not self.fails(error):
            self._office.tick_refusal = error

    def proved(self, error: str) -> None:
        """The proof of a standby is written; `error` is what Redis said if it is not."""
        if not error or not self.fails(error):
            self._office.tick_refusal = error

    def fails(self, error: str) -> bool:
        """Redis has answered a command with this error; whether it is the wrong server."""
        return self._attachment.fails(error)

    def counted(self, after: int, counter: int | None, now: float) -> None:
        """Redis' counter of ticks, asked `after` a tick; None if it could not be asked."""
        self._candidate.follow(self._election.counted(after, counter, now), now)

    # --- the lease -----------------------------------------------------------------------

    def won(self, epoch: int, now: float, *, claimed: bool = True, writes: int = 0) -> None:
        """It may lead in this epoch; release the lease if not. `claimed`: it was, after so many `writes`."""
        self._candidate.won(epoch, now, claimed=claimed, writes=writes)

    def refused(self, now: float) -> None:
        """Somebody else has the lease."""
        self._candidate.refused(now)

    def unclaimed(self, now: float, *, again: bool) -> None:
        """PostgreSQL does not say who leads. `again`: that claim is over, so another one is needed."""
        self._candidate.unclaimed(now, again=again)

    def went_back(self, writes: int) -> None:
        """The lease has forgotten the term, and so many writes that PostgreSQL had acknowledged."""
        self._candidate.went_back(writes)

    def lost(self, now: float) -> None:
        """The lease could not be renewed: somebody else has it."""
        self._candidate.follow(self._election.lost(now), now)

    # --- time ----------------------------------------------------------------------------

    def turn(self, now: float, outside: Outside, *, caught_up: bool) -> None:
        """Look at the time. `caught_up`: everything that has come in was read just now."""
        self._office.outside = outside
        self._subscriptions.turn(now)
        is_attached = self._subscriptions.is_attached
        gives_way = not self.leads or self.has_proof(now)
        self._out += self._attachment.turn(now, is_attached=is_attached, gives_way=gives_way)
        if self.leads:
            if outside.stands is not None:
                self._candidate.follow(self._election.stands(outside.stands.number), now)
            self._office.turn(now, self._hearing.newest)
        elif self.state is not State.ENDED:
            self._heard_at = now if self._heard_at is None else self._heard_at
            self._office.say_unheard(now, is_unheard=now - self._heard_at > UNHEARD_SECONDS)
        whole, caught_up = self._hearing.is_whole, caught_up and is_attached
        self._candidate.follow(self._election.turn(now, caught_up=caught_up, whole=whole), now)

    def retire(self, now: float) -> None:
        """Its life is over: hand over, if that is safe now, and go on if it is not."""
        self._candidate.retire(now)

    def stop(self, now: float) -> None:
        """Go, after a hand-over if there may be somebody. To be called until the state is ENDED."""
        self._candidate.follow(self._election.stop(now, somebody=self._office.standbys.audience > 0), now)
