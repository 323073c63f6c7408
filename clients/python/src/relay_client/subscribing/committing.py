"""Mode `cursor`: what is fetched comes again until a commit has moved the cursor above it.

A commit says that everything up to a position is done. So it goes to the last message before the first one
that is not, whatever stands done behind that; and to the end of what was looked at once nothing is left, also
where a filter took none of it. Since a fetch begins at the cursor, it carries the commit, which no other one
may overtake meanwhile, but the last of all; what it brings once more is known by its position. A message that
is given back stays where it was, and holds back all that is behind it.
"""

from bisect import insort
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from relay_client.errors import CursorMoved, RelayError
from relay_client.rows import Message
from relay_client.subscribing import calls
from relay_client.subscribing.holding import Ask, Held, Rest, State
from relay_client.subscribing.notices import Moved, Notice
from relay_client.subscribing.pace import MOST_BYTES, MOST_MESSAGES, Pace
from relay_client.subscribing.rows import Fetched, Settled

_FIRST_WAIT_SECONDS = 1.0
_LONGEST_WAIT_SECONDS = 600.0
_AGAIN_SECONDS = 1.0
"""Somebody waits while others are slow: so often it is looked for more."""


class Committing:
    """Of one subscription."""

    def __init__(self, name: str, pace: Pace) -> None:
        self._name = name
        self._pace = pace
        self._rest = Rest(pace.wait_seconds)
        self._held: deque[Held] = deque()  # not committed, by position; the first one is not done
        self._queue: deque[Held] = deque()  # of these, those that wait for the program
        self._size = 0
        self._generation: int | None = None
        self._upto = ""
        self._reached = ""
        self._committed = ""
        self._done = 0  # messages that the next commit is about
        self._done_since: float | None = None
        self._fetched_at = 0.0
        self._epoch = 0
        self._is_full = False  # There was more than a fetch could bring.
        self._is_committing = False
        self._is_carried = False  # The fetch that is under way has a commit with it.
        self._is_closed = False

    @property
    def needs_the_fetch(self) -> bool:
        """Nothing is ours by having been fetched."""
        return False

    @property
    def ready_at(self) -> float | None:
        """See `Rules`."""
        return self._queue[0].ready_at if self._queue else None

    @property
    def is_settled(self) -> bool:
        """See `Rules`."""
        return not self._is_committing and self._reached <= self._committed

    def take(self, now: float) -> Held | None:
        """The first one, as soon as it may be given. None may overtake it."""
        if not self._queue or self._queue[0].ready_at > now:
            return None
        held = self._queue.popleft()
        held.state = State.GIVEN
        return held

    def ack(self, held: Held, now: float) -> None:
        """It counts once everything before it is done."""
        if held.state is State.GIVEN:
            held.state = State.DONE
            self._reach(now)

    def passed(self, held: Held, now: float) -> None:
        """So it is done, if nothing else was said."""
        self.ack(held, now)

    def nack(self, held: Held, delay: float | None, now: float) -> None:
        """It is given to the program again. `delay`: None: after 1 s, doubling to 10 min."""
        if held.state is not State.GIVEN:
            return
        wait = min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2.0 ** min(held.failures, 20))
        ready_at = now + (wait if delay is None else delay)
        again = replace(held, state=State.WAITING, ready_at=ready_at, failures=held.failures + 1)
        held.state = State.BACK  # Whatever is said of it from here on is not about who has it next.
        self._held[self._held.index(held)] = again
        if not self._is_closed:
            insort(self._queue, again, key=lambda one: one.position)

    def close(self, now: float) -> None:
        """What waits is left where it is: it comes again."""
        self._is_closed = True
        self._queue.clear()

    # --- fetching -----------------------------------------------------------------------------

    def fetch_at(self, waiters: int) -> float | None:
        """Not while a commit is under way, which it might overtake."""
        return None if self._is_committing else self._wanted_at(waiters)

    def fetch(self, now: float) -> Ask:
        """As many as a page beside those that it brings once more, and what is done."""
        most = min(MOST_MESSAGES, self._pace.page_messages + len(self._held))
        size = min(MOST_BYTES, self._pace.page_bytes + self._size)
        position = self._reached if self._reached > self._committed else ""
        if position:
            self._is_carried = True
            self._done, self._done_since = 0, None
        call = calls.fetch(
            self._name,
            messages=most,
            size=size,
            seconds=self._pace.wait_seconds,
            commit=position or None,
            generation=self._generation if position else None,
        )
        return Ask("fetch", call, now, position=position, most=most, size=size, epoch=self._epoch)

    def fetched(self, ask: Ask, got: Fetched, now: float) -> Sequence[Notice]:
        """Take in what is new."""
        notices: list[Notice] = [] if got.skipped is None else [got.skipped]
        self._is_carried = False
        if ask.epoch == self._epoch:
            self._committed = max(self._committed, ask.position)
        if ask.epoch != self._epoch or self._is_closed:
            return notices
        if self._generation is not None and got.generation != self._generation:
            self._let_go()
            notices.append(Moved(None, got.generation))
        if self._generation is None and not got.messages:
            self._committed = self._reached = got.position  # There is nothing to commit.
        self._generation = got.generation
        new = [message for message in got.messages if message.position > self._upto]
        self._hold(new, got.generation)
        self._upto = max(self._upto, got.position)
        self._is_full = len(got.messages) >= ask.most or self._size * 2 >= ask.size
        self._fetched_at = now
        self._rest.answered(ask, now, is_new=bool(new))
        self._reach(now)
        return notices

    def _hold(self, messages: Sequence[Message], generation: int) -> None:
        for message in messages:
            held = Held(message, generation)
            self._held.append(held)
            self._queue.append(held)
            self._size += held.size

    def _wanted_at(self, waiters: int) -> float | None:
        if self._is_closed:
            return None
        if not self._held:
            return self._rest.until
        pace = self._pace
        if len(self._held) + pace.page_messages > MOST_MESSAGES or self._size + pace.page_bytes > MOST_BYTES:
            return None  # It would bring little but what is here.
        if self._is_full and pace.is_ahead and len(self._queue) <= pace.page_messages // 2:
            return self._rest.until
        if waiters and not self._queue:
            return max(self._rest.until, self._fetched_at + _AGAIN_SECONDS)
        return None

    # --- committing ---------------------------------------------------------------------------

    def settle_at(self, waiters: int) -> float | None:
        """After so many messages or so long, if no fetch takes it along before; and at the end."""
        if self._is_committing or self._reached <= self._committed:
            return None
        if self._is_closed:
            return 0.0
        if self._is_carried or self._done_since is None:
            return None
        if self._done >= self._pace.settle_messages:
            return 0.0
        return self._done_since + self._pace.settle_seconds

    def settle(self, now: float) -> Ask:
        """Commit."""
        self._is_committing = True
        self._done, self._done_since = 0, None
        call = calls.commit(self._name, self._reached, self._generation)
        return Ask("commit", call, now, position=self._reached, epoch=self._epoch)

    def settled(self, ask: Ask, results: Sequence[Settled], now: float) -> Sequence[Notice]:
        """It is committed."""
        self._is_committing = False
        if ask.epoch == self._epoch:
            self._committed = ask.position
        self._look(now)
        return ()

    def refused(self, ask: Ask, error: RelayError, now: float) -> Sequence[Notice] | None:
        """The cursor stands elsewhere: begin anew."""
        if not isinstance(error, CursorMoved):
            return None
        if ask.verb == "fetch":
            self._is_carried = False
            if self._is_closed:
                return ()  # The last commit may have overtaken it.
        else:
            self._is_committing = False
        if ask.epoch != self._epoch:
            self._look(now)
            return ()
        self._let_go()
        return [Moved(error.position, error.generation)]

    def unanswered(self, ask: Ask, now: float) -> None:
        """The same commit once more changes nothing."""
        if ask.verb == "commit":
            self._is_committing = False
        else:
            self._is_carried = False
        self._look(now)

    def _reach(self, now: float) -> None:
        """How far everything is done."""
        while self._held and self._held[0].state is State.DONE:
            held = self._held.popleft()
            self._size -= held.size
            held.state = State.SETTLED
            self._reached = held.position
            self._done += 1
        if not self._held:
            self._reached = self._upto
        self._look(now)

    def _look(self, now: float) -> None:
        if self._reached > self._committed and self._done_since is None:
            self._done_since = now

    def _let_go(self) -> None:
        for held in self._held:
            held.state = State.GONE
        self._held.clear()
        self._queue.clear()
        self._size = self._done = 0
        self._upto = self._reached = self._committed = ""
        self._generation = self._done_since = None
        self._is_full = False
        self._epoch += 1
