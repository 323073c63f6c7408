"""Mode `lease`: each message is one worker's until its deadline, and is acked, given back, or extended.

Whoever holds a lease doubts it first: what has not been extended in time is not given to the program until
Relay has said that it is still ours. Of what the program has in hand Relay alone says that it is lost; an ack
counts, however late, until somebody else has the message. If that is this consumer itself, the message keeps
its place here and goes on by the new token: the program does not get it twice at once.
"""

from collections import deque
from collections.abc import Sequence
from math import inf
from typing import Final

from relay_client.errors import BadAnswer, RelayError
from relay_client.rows import Lease, Message
from relay_client.subscribing import calls
from relay_client.subscribing.finished import Finished
from relay_client.subscribing.holding import Ask, Held, Rest, State
from relay_client.subscribing.notices import Lost, Moved, Notice
from relay_client.subscribing.pace import MOST_MESSAGES, Pace
from relay_client.subscribing.rows import Fetched, Settled

_LIVE: Final = frozenset({State.WAITING, State.GIVEN})
"""What is extended."""


class Leasing:
    """Of one subscription."""

    def __init__(self, name: str, pace: Pace, deadline_seconds: float) -> None:
        self._name = name
        self._pace = pace
        self._seconds = deadline_seconds
        self._rest = Rest(pace.wait_seconds)
        self._held: dict[str, Held] = {}  # by position, until Relay knows what became of it
        self._queue: deque[Held] = deque()  # those that wait for the program
        self._finished = Finished()
        self._given = 0
        self._generation: int | None = None
        self._extend_at = inf  # nothing is to be extended before
        self._notices: list[Notice] = []
        self._is_fetching = self._is_settling = False
        self._is_closed = False

    @property
    def needs_the_fetch(self) -> bool:
        """It leases messages to us."""
        return True

    @property
    def ready_at(self) -> float | None:
        """It is Relay that says so."""
        return None

    @property
    def is_settled(self) -> bool:
        """See `Rules`."""
        return not self._is_settling and not self._finished

    def take(self, now: float) -> Held | None:
        """The first one that is certainly ours."""
        held = next((one for one in self._queue if one.expires_at > now), None)
        if held is not None:
            self._queue.remove(held)
            self._given += 1
            held.state = State.GIVEN
            held.hold_until = now + self._pace.hold_seconds
        return held

    def ack(self, held: Held, now: float) -> None:
        """It is done."""
        if held.state is State.GIVEN:
            self._end(held, State.DONE, now)

    def passed(self, held: Held, now: float) -> None:
        """That says nothing: it may be in other hands."""

    def nack(self, held: Held, delay: float | None, now: float) -> None:
        """It is for somebody else. `delay`: None: Relay decides."""
        if held.state is State.GIVEN:
            held.delay = delay
            self._end(held, State.BACK, now)

    def close(self, now: float) -> None:
        """What waits is given back at once."""
        self._is_closed = True
        while self._queue:
            self._return(self._queue.popleft(), now)

    # --- fetching -----------------------------------------------------------------------------

    def fetch_at(self, waiters: int) -> float | None:
        """While there is room."""
        room = self._pace.page_messages // 2 if self._pace.is_ahead else 0
        if self._is_closed or len(self._queue) > room or not (self._pace.is_ahead or waiters):
            return None
        return self._rest.until

    def fetch(self, now: float) -> Ask:
        """A page, and with it what is done: that holds at once, however long Relay waits for messages."""
        self._is_fetching = True
        most, size = self._pace.page_messages, self._pace.page_bytes
        done = self._finished.take_done(now)
        tokens = tuple(one.token for one in done)
        seconds = self._pace.wait_seconds
        call = calls.fetch(self._name, messages=most, size=size, seconds=seconds, ack=tokens)
        return Ask("fetch", call, now, held=tuple(done), tokens=tokens, most=most, size=size)

    def fetched(self, ask: Ask, got: Fetched, now: float) -> Sequence[Notice]:
        """Take in what is leased to us."""
        leased = [(message, _lease_of(message)) for message in got.messages]
        self._is_fetching = False
        notices = self._heard(ask, got.settled, now)
        if got.skipped is not None:
            notices.append(got.skipped)
        if self._generation is not None and got.generation != self._generation:
            self._let_go()
            notices.append(Moved(None, got.generation))
        self._generation = got.generation
        for message, lease in leased:
            self._hold(message, lease, now)
        self._rest.answered(ask, now, is_new=bool(leased))
        return notices

    def _hold(self, message: Message, lease: Lease, now: float) -> None:
        held = self._held.get(message.position)
        if held is None:
            held = Held(message, self._generation or 0, hold_until=now + self._pace.hold_seconds)
            self._held[message.position] = held
            if not self._is_closed:
                self._queue.append(held)
        held.message, held.token, held.was_sent = message, lease.token, False
        self._grant(held, now)
        if self._is_closed and held.state is State.WAITING:
            self._return(held, now)

    def _grant(self, held: Held, since: float) -> None:
        held.expires_at = since + self._seconds
        held.extend_at = since + self._seconds / 2 if held.hold_until > since else inf
        self._extend_at = min(self._extend_at, held.extend_at)

    # --- settling -----------------------------------------------------------------------------

    def settle_at(self, waiters: int) -> float | None:
        """Leases at half their time; the rest after so many or so long, or if there is nothing else to do.

        Unless the next fetch takes it along, which is about to be asked. That may be kept from it.
        """
        if self._is_settling:
            return None
        at = self._extend_at
        if self._finished:
            is_idle = not self._given and not self._queue
            is_much = is_idle or len(self._finished) >= self._pace.settle_messages
            is_carried = not self._is_fetching and self.fetch_at(waiters) is not None
            if self._is_closed or (is_much and not is_carried):
                return 0.0
            at = min(at, (self._finished.since or 0.0) + self._pace.settle_seconds)
        return None if at == inf else at

    def settle(self, now: float) -> Ask | None:
        """Extend first: the rest has time."""
        if due := self._due(now):
            return self._ask("extend", due, now, seconds=self._seconds)
        if not self._finished:
            return None
        chosen = self._finished.take_alike(now)
        if chosen[0].state is State.DONE:
            return self._ask("ack", chosen, now)
        return self._ask("nack", chosen, now, delay_seconds=chosen[0].delay)

    def _ask(self, verb: calls.Verb, held: Sequence[Held], now: float, **seconds: float | None) -> Ask:
        self._is_settling = True
        tokens = tuple(one.token for one in held)
        call = calls.settle(verb, self._name, tokens, **seconds)
        return Ask(verb, call, now, held=tuple(held), tokens=tokens, seconds=seconds.get("seconds") or 0.0)

    def _due(self, now: float) -> list[Held]:
        """What is to be extended. What would be so soon goes along."""
        if now < self._extend_at:
            return []
        until = now + self._seconds / 8
        due = []
        for held in list(self._held.values()):
            if held.state not in _LIVE or held.extend_at > until:
                continue
            held.extend_at = inf
            if held.hold_until > now:
                due.append(held)
            elif held.state is State.WAITING:
                self._queue.remove(held)
                self._return(held, now)
            else:
                self._notices.append(Lost(held.message, "the program has had it for too long"))
        self._extend_at = min(
            (one.extend_at for one in self._held.values() if one.state in _LIVE), default=inf
        )
        for held in due[MOST_MESSAGES:]:
            held.extend_at = self._extend_at = now
        return due[:MOST_MESSAGES]

    def settled(self, ask: Ask, results: Sequence[Settled], now: float) -> Sequence[Notice]:
        """Each token was in time, or too late."""
        self._is_settling = False
        return self._heard(ask, results, now)

    def _heard(self, ask: Ask, results: Sequence[Settled], now: float) -> list[Notice]:
        notices = self._take_notices()
        for held, token, result in zip(ask.held, ask.tokens, results, strict=True):
            if held.state is State.GONE:
                continue
            if held.token != token and not result.is_ok:
                self._again(held, ask, now)  # It was leased to us anew meanwhile.
            elif ask.verb == "extend":
                notices += self._extended(held, ask, result)
            else:
                self._forget(held, State.SETTLED)
                if held.token != token and ask.verb == "nack":  # It was leased to us once more.
                    self._hold(held.message, _lease_of(held.message), held.expires_at - self._seconds)
                if ask.verb != "nack" and not result.is_ok and not held.was_sent:
                    notices.append(Lost(held.message, result.error or "too late"))
        return notices

    def refused(self, ask: Ask, error: RelayError, now: float) -> Sequence[Notice] | None:
        """None is expected: what is too late is no error."""
        return None

    def unanswered(self, ask: Ask, now: float) -> None:
        """All of it again. What was done by then is said to be too late, and that is well."""
        if ask.verb == "fetch":
            self._is_fetching = False
        else:
            self._is_settling = False
        for held in reversed(ask.held):
            if held.state is not State.GONE:
                held.was_sent = ask.verb != "extend"
                self._again(held, ask, now)

    def _take_notices(self) -> list[Notice]:
        taken, self._notices = self._notices, []
        return taken

    def _again(self, held: Held, ask: Ask, now: float) -> None:
        if ask.verb != "extend":
            self._finished.again(held, now)
        elif held.state in _LIVE and held.extend_at == inf:
            held.extend_at = now
            self._extend_at = min(self._extend_at, now)

    def _extended(self, held: Held, ask: Ask, result: Settled) -> Sequence[Notice]:
        if held.state not in _LIVE:
            return ()
        if result.is_ok:
            self._grant(held, ask.asked_at)
            return ()
        was_given = held.state is State.GIVEN
        if was_given:
            self._given -= 1
        else:
            self._queue.remove(held)
        self._forget(held, State.GONE)
        return [Lost(held.message, result.error or "too late")] if was_given else ()

    def _end(self, held: Held, state: State, now: float) -> None:
        self._given -= 1
        held.state = state
        self._finished.add(held, now)

    def _return(self, held: Held, now: float) -> None:
        """Nobody has begun with it."""
        self._given += 1
        held.delay = 0.0
        self._end(held, State.BACK, now)

    def _forget(self, held: Held, state: State) -> None:
        held.state = state
        if self._held.get(held.position) is held:
            del self._held[held.position]

    def _let_go(self) -> None:
        """Tokens from before a seek are worth nothing."""
        for held in self._held.values():
            held.state = State.GONE
        self._held.clear()
        self._queue.clear()
        self._finished.clear()
        self._given = 0
        self._extend_at = inf


def _lease_of(message: Message) -> Lease:
    if message.lease is None:
        raise BadAnswer("A message came without a lease: is this the address of Relay?")
    return message.lease
