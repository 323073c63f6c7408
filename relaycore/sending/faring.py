"""How one endpoint fares, by what it answers: whether it is left alone, since when it fails, what it takes.

Times are PostgreSQL's, as ms since 1970.
"""

from typing import NamedTuple

from relaycore.sending.answers import Answer
from relaycore.sending.breaker import Breaker
from relaycore.sending.failing import Failing
from relaycore.sending.pace import Rise
from relaycore.sending.verdict import Verdict


class Last(NamedTuple):
    """What it has answered last, in this term.

    status, failure:  as in `Answer`; empty: there was none
    at, succeeded_at: None: in this term there was none
    """

    status: int | None = None
    failure: str = ""
    at: int | None = None
    succeeded_at: int | None = None


class Faring:
    """Of one endpoint, in one sender's term.

    is_changed: its breaker or since when it fails is another one than was written
    has_news:   something was answered since it was written
    """

    def __init__(self, breaker: Breaker, failing: Failing, rise: Rise) -> None:
        self.breaker, self.failing, self.rise = breaker, failing, rise
        self.last = Last()
        self.is_changed = self.has_news = False

    def set(self, breaker: Breaker, failing: Failing) -> None:
        """It stands so by now: whoever enables it sets back what has failed before."""
        self.breaker, self.failing = breaker, failing

    def succeeded(self, answer: Answer, now: int) -> None:
        """It has taken something."""
        self._learn(self.breaker.succeeded(now), self.failing.succeeded())
        self.last = Last(answer.status, "", now, now)
        self.rise.succeed()
        if self.breaker.until:
            self.rise.begin_anew()

    def failed(self, verdict: Verdict, answer: Answer, now: int, began_at: int, chance: float) -> None:
        """An attempt that began then has failed, and that says something of it. `chance`: in [0, 1)."""
        is_slow = verdict is Verdict.SLOW
        later = answer.retry_after if is_slow else None
        breaker = self.breaker.failed(now, began_at, chance, is_slow=is_slow, retry_after=later)
        self._learn(breaker, self.failing.failed(now))
        failure = "" if answer.failure is None else answer.failure.value
        self.last = Last(answer.status, failure, now, self.last.succeeded_at)
        self.rise.fail()
        if breaker.until:
            self.rise.begin_anew()

    def _learn(self, breaker: Breaker, failing: Failing) -> None:
        self.has_news = True
        if breaker is not self.breaker or failing is not self.failing:
            self.is_changed = True
            self.breaker, self.failing = breaker, failing

    def written(self) -> None:
        """How it stands is about to be written."""
        self.is_changed = self.has_news = False

    def missed(self) -> None:
        """It was not."""
        self.is_changed = self.has_news = True
