"""What a consumer asks when, and what an answer does to what it holds. Time and chance are given: no I/O.

There are two lanes, each with one request under way at most: `fetching`, which may wait for messages on the
other side, and `settling`, which must not wait for that. First of all it is learnt which mode the
subscription has; from then on `committing` or `leasing` decide. What may pass is tried again after a growing
time; anything else ends it: `failure`.
"""

from collections.abc import Sequence

from relay_client import backoff
from relay_client.answers import Answer, checked, read
from relay_client.errors import BadAnswer, Closed, RelayError, asked_to_wait, may_pass, ours
from relay_client.rows import as_row
from relay_client.subscribing import calls
from relay_client.subscribing.committing import Committing
from relay_client.subscribing.holding import Ask, Held, Rules, State
from relay_client.subscribing.leasing import Leasing
from relay_client.subscribing.notices import Away, Notice
from relay_client.subscribing.pace import Pace
from relay_client.subscribing.rows import Fetched, Subscription, of_tokens, settled_of

_DEADLINE_SECONDS = 30.0
"""Of a Relay that does not say it."""


class Lane:
    """One request after another."""

    def __init__(self) -> None:
        self.asked: Ask | None = None
        self.failures = 0
        self.not_before = 0.0

    def failed(self, error: RelayError, now: float, chance: float) -> None:
        """It is to be tried again, and not at once."""
        self.failures += 1
        self.not_before = now + backoff.delay(self.failures, chance, asked_to_wait(error))


class Inbox:
    """Of one subscription. `waiters`: so many threads or tasks wait for a message."""

    def __init__(self, name: str, pace: Pace) -> None:
        self._name = name
        self._pace = pace
        self._rules: Rules | None = None
        self.fetching = Lane()
        self.settling = Lane()
        self.waiters = 0
        self.failure: RelayError | None = None
        self.is_stopping = False
        self.is_over = False
        self._is_failure_told = False

    # --- the program --------------------------------------------------------------------------

    def take(self, now: float) -> Held | None:
        """The next message for the program; None: there is none now.

        Raises:
            RelayError: there will be no more.
        """
        if self.failure is not None:
            self._is_failure_told = True
            raise self.failure
        return None if self._rules is None or self.is_stopping else self._rules.take(now)

    def ack(self, held: Held, now: float) -> None:
        """The program is done with it.

        Raises:
            Closed: it is too late to tell Relay.
        """
        if self.is_over and held.state is State.GIVEN:
            raise Closed("The consumer is closed: the message will be handed out again.")
        if self._rules is not None:
            self._rules.ack(held, now)

    def passed(self, held: Held, now: float) -> None:
        """The program asks for the next one in the same loop."""
        if self._rules is not None and not self.is_over:
            self._rules.passed(held, now)

    def nack(self, held: Held, delay: float | None, now: float) -> None:
        """The program gives it back."""
        if self._rules is not None and not self.is_over:
            self._rules.nack(held, delay, now)

    def close(self, now: float) -> None:
        """The program takes nothing more. What it has done is told now."""
        self.is_stopping = True
        if self._rules is not None:
            self._rules.close(now)

    def end(self) -> None:
        """Nothing more is asked."""
        self.is_over = True

    @property
    def ready_at(self) -> float | None:
        """When to try `take` again, if nothing happens before."""
        return None if self._rules is None else self._rules.ready_at

    @property
    def untold(self) -> RelayError | None:
        """Why Relay cannot be told what is done, if the program does not know it yet."""
        is_told = self._rules is None or self._rules.is_settled or self._is_failure_told
        return None if is_told else self.failure

    @property
    def is_settled(self) -> bool:
        """Whether there is nothing more to ask, once it is closed."""
        if self._rules is None or self.failure is not None:
            return True
        is_idle = self.fetching.asked is None or not self._rules.needs_the_fetch
        return is_idle and self._rules.is_settled

    # --- Relay --------------------------------------------------------------------------------

    def look_at(self, lane: Lane) -> float | None:
        """When `step` has something to ask in this lane; None: not before something happens."""
        if lane.asked is not None or self.is_over or self.failure is not None:
            return None
        at = self._settle_at() if lane is self.settling else self._fetch_at()
        return None if at is None else max(at, lane.not_before)

    def step(self, lane: Lane, now: float) -> Ask | None:
        """What to ask now; `answered` is to follow."""
        at = self.look_at(lane)
        if at is None or at > now:
            return None
        if self._rules is None:
            lane.asked = Ask("learn", calls.get(self._name), now)
        else:
            lane.asked = self._rules.settle(now) if lane is self.settling else self._rules.fetch(now)
        return lane.asked

    def answered(
        self, lane: Lane, ask: Ask, got: Answer | Exception, now: float, chance: float
    ) -> Sequence[Notice]:
        """What came back, or was raised instead."""
        lane.asked = None
        if self.is_over:
            return ()
        try:
            notices = self._take_in(ask, got, now)
        except RelayError as error:
            return self._failed(lane, ask, error, now, chance)
        except Exception as error:  # Whoever waits for a message must not wait for ever.
            self.failure = BadAnswer(f"The answer to {ask.verb} cannot be used: {type(error).__name__}")
            return ()
        lane.failures = 0
        return notices

    def _fetch_at(self) -> float | None:
        if self.is_stopping:
            return None
        return 0.0 if self._rules is None else self._rules.fetch_at(self.waiters)

    def _settle_at(self) -> float | None:
        return None if self._rules is None else self._rules.settle_at(self.waiters)

    def _take_in(self, ask: Ask, got: Answer | Exception, now: float) -> Sequence[Notice]:
        if isinstance(got, Exception):
            raise ours(got)
        said = read(checked(got))
        if self._rules is None:
            self._learn(as_row(Subscription, said), now)
            return ()
        if ask.verb == "fetch":
            fetched = as_row(Fetched, said)
            of_tokens(fetched.settled, ask.tokens)
            return self._rules.fetched(ask, fetched, now)
        return self._rules.settled(ask, settled_of(said, ask.tokens) if ask.tokens else (), now)

    def _learn(self, found: Subscription, now: float) -> None:
        if found.mode == "lease":
            self._rules = Leasing(self._name, self._pace, found.ack_deadline_seconds or _DEADLINE_SECONDS)
        else:
            self._rules = Committing(self._name, self._pace)
        if self.is_stopping:
            self._rules.close(now)

    def _failed(self, lane: Lane, ask: Ask, error: RelayError, now: float, chance: float) -> Sequence[Notice]:
        if self._rules is not None:
            if (notices := self._rules.refused(ask, error, now)) is not None:
                return notices
            self._rules.unanswered(ask, now)
        if not may_pass(error):
            self.failure = error
            return ()
        lane.failed(error, now, chance)
        return [Away(error)] if lane.failures == 1 else ()
