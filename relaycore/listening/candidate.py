"""What follows from the election: a claim, a term, a hand-over, an end.

`Candidate` hands the election what happened to the lease, and carries out what it asks for.
"""

from collections.abc import Sequence
from typing import Final

from relaycore.capturing.capture import Heard
from relaycore.listening.effects import Append, Ask, Claim, Count, Drop, Effect, Mark
from relaycore.listening.hearing import Hearing
from relaycore.listening.office import Office
from relaycore.listening.transitions import Action

_RETIRE_AGAIN_SECONDS: Final = 10.0
_CLAIM_AGAIN_SECONDS: Final = 5.0


class Candidate:
    """One listener's way to the leadership, and out of it. What is to be done is added to `out`."""

    def __init__(self, hearing: Hearing, office: Office, out: list[Effect]) -> None:
        self._hearing = hearing
        self._election = hearing.election
        self._office = office
        self._out = out
        self._claims_at = float("-inf")
        self._claimed_whole = False
        self._retires_at = float("-inf")

    def won(self, epoch: int, now: float, *, claimed: bool, writes: int = 0) -> None:
        """The term of this epoch is its own. Not `claimed`: PostgreSQL cannot be asked."""
        if self._election.ticks and epoch == self._election.epoch:
            self._office.claimed(claimed=claimed, writes=writes)
            return
        goes_on = self._election.ticks
        whole = self._hearing.is_whole
        if self._claimed_whole and not whole and not goes_on:
            # Its connection has ended since it claimed. Somebody else may hold what it has not heard.
            self._claimed_whole = False
            self.refused(now)
            return
        for action in self._election.won(epoch):
            if action is not Action.LEAD:
                self.follow((action,), now)
                continue
            self._office.lead(epoch, now, claimed=claimed, writes=writes)
            if goes_on:
                self._hearing.accounting.go_on(epoch)
            else:
                self.relay(self._hearing.lead(epoch, whole=whole))
            if self._election.last is not None:
                self._out.append(Mark(self._election.last))

    def refused(self, now: float) -> None:
        """Somebody else has the lease."""
        self.follow(self._election.refused(now), now)

    def unclaimed(self, now: float, *, again: bool) -> None:
        """PostgreSQL does not say who leads: go on from the leader that was heard, unconfirmed.

        `again`: that claim is over, so another one is needed.
        """
        if not self._election.ticks:
            if self._election.last is None:
                self.refused(now)
                return
            self.won(self._election.highest + 1, now, claimed=False)
        if again and self._election.ticks:
            self._claim_anew()

    def went_back(self, writes: int) -> None:
        """The lease has forgotten the term, since PostgreSQL went back. Another one goes on where it was."""
        self._office.went_back(writes)
        if self._election.ticks:
            self._claim_anew()

    def fenced(self, term: int) -> None:
        """Redis says that this is the highest epoch that ever ticked."""
        election = self._election
        election.fence = max(election.fence, term)
        if election.ticks and election.fence > election.epoch:
            # Its ticks confirm nothing. Whoever has a later term has the lease, or this one still has it.
            self._claimed_whole = True
            self._out.append(Claim(election.epoch, election.highest))

    def retire(self, now: float) -> None:
        """Hand over, if that is safe now."""
        if now >= self._retires_at and self._office.may_retire(now):
            self._retires_at = now + _RETIRE_AGAIN_SECONDS
            self.follow(self._election.retire(now), now)

    def relay(self, heard: Heard) -> None:
        """This is to stand on the stream."""
        if heard.pieces:
            self._office.pulse.stir()
            self._out.append(Append(heard.pieces))

    def follow(self, actions: Sequence[Action], now: float) -> None:
        """Do what the election asks for."""
        for action in actions:
            match action:
                case Action.ASK:
                    self._out.append(Count(self._election.newest))
                case Action.REJOIN:
                    self._out.append(Drop("Redis publishes ticks that do not arrive."))
                case Action.CLAIM:
                    self._claim(now)
                case Action.TAKE_BACK:
                    self.relay(self._hearing.take_back())
                case Action.SAY_LEFT:
                    self._office.say_left()
                case Action.RESIGN:
                    self._hearing.resign()
                    self._end_term()
                case Action.STEP_DOWN:
                    self._end_term()

    def _claim(self, now: float) -> None:
        """Who was refused to tick leaves it to others for a while: they may be able to."""
        if self._office.tick_refusal and now < self._claims_at:
            self.refused(now)
            return
        self._claims_at = now + _CLAIM_AGAIN_SECONDS
        self._claimed_whole = self._hearing.is_whole
        highest = self._election.highest
        self._out.append(Claim(highest or None, highest))

    def _claim_anew(self) -> None:
        """Who leads in a term that PostgreSQL does not know claims it, or another one if it was claimed."""
        own, highest = self._election.epoch, self._election.highest
        is_unknown = not self._office.is_claimed and own == highest
        self._claimed_whole = True  # Not any more, if its connection ends before it has won.
        self._out.append(Claim(highest or None, own - 1 if is_unknown else highest))

    def _end_term(self) -> None:
        self._office.end()
        self._out.append(Ask.END_TERM)
