"""One endpoint: what may be out to it, and whose turn is next."""

import asyncio
import functools
import logging
import random
import time
from collections import OrderedDict
from typing import Final, Protocol

from relaycore.sending.answers import Answer, Failure
from relaycore.sending.batches.batch import Batch
from relaycore.sending.faring import Faring
from relaycore.sending.items import DONE, WITHHELD, Failed, Item
from relaycore.sending.pace import Pace, Rise
from relaycore.sending.verdict import Verdict, is_of_content, judge
from webhooks_app.http.client import Client
from webhooks_app.sending.clock import Clock
from webhooks_app.sending.course import Course
from webhooks_app.sending.encoding import Encoding
from webhooks_app.sending.known import KnownEndpoint
from webhooks_app.sending.recording.seeing import Seen
from webhooks_app.sending.share import AHEAD, AHEAD_BYTES, Share

log = logging.getLogger(__name__)

_LEAST_WAIT_SECONDS: Final = 0.001

_UNSENT_SECONDS: Final = 0.2
"""After an attempt that might not begin: the lease is not confirmed."""

MOST_AHEAD: Final = 16 * AHEAD
MOST_AHEAD_BYTES: Final = 16 * AHEAD_BYTES
"""What is read ahead for all subscriptions of one endpoint: each has its share, and one message at least."""

_LEAST_AHEAD: Final = 4


class Told(Protocol):
    """Whoever is told what a lane does. `out`: so many attempts are under way, of all lanes."""

    out: int

    def attempted(self, lane: "Lane", course: Course, item: Item | Batch, id: str, answer: Answer) -> None:
        """An attempt has ended."""

    def gone(self, lane: "Lane", reason: str) -> None:
        """Nothing is to be sent to this endpoint any more."""


class Lane:
    """One endpoint of this shard, in the event loop. Its subscriptions take turns, a message each.

    It begins nothing once it is stopped, which is for good; and nothing while it is given up, which ends when
    it is set anew or taken up again. What is under way ends in any case, and what came of it counts.

    faring: how the endpoint fares
    """

    def __init__(
        self, endpoint: KnownEndpoint, client: Client, encoding: Encoding, clock: Clock, told: Told
    ) -> None:
        self.endpoint = endpoint
        self._client = client
        self._encoding = encoding
        self._clock = clock
        self._told = told
        self._courses: set[Course] = set()
        self._ready: OrderedDict[Course, None] = OrderedDict()
        self.out = 0
        rise = Rise(endpoint.most_out, is_slow=endpoint.is_rested)
        self.faring = Faring(endpoint.breaker, endpoint.failing, rise)
        self._share = Share()
        self._pace = Pace(endpoint.per_second)
        self._timer: asyncio.TimerHandle | None = None
        self._is_stopped = self._is_given_up = False
        self._is_resting = True

    # --- what is set ---------------------------------------------------------------------

    def set(self, endpoint: KnownEndpoint) -> None:
        """It is set to this by now. Whoever enables it sets back what has failed before.

        All are read again once in a while, and what has been learnt here since is not undone by that.
        """
        if self.endpoint.target is not None:
            self._client.forget(self.endpoint.target)
        if endpoint.revision != self.endpoint.revision:
            is_enabled = endpoint.is_active and not self.endpoint.is_active
            self.faring.rise = Rise(endpoint.most_out, is_slow=is_enabled or endpoint.is_rested)
            self.faring.set(endpoint.breaker, endpoint.failing)
        self.endpoint = endpoint
        self._pace.set(endpoint.per_second)
        self.take_up()

    def add(self, course: Course) -> None:
        """It hangs on this endpoint."""
        self._courses.add(course)
        course.share = self._share
        self._divide()
        if not self._is_resting:
            course.wake()

    def remove(self, course: Course) -> None:
        """No more."""
        self._courses.discard(course)
        self._ready.pop(course, None)
        self._divide()

    def _divide(self) -> None:
        """However many hang on it, so much is in memory for it."""
        count = max(1, len(self._courses))
        most = max(_LEAST_AHEAD, min(AHEAD, MOST_AHEAD // count))
        self._share.set(most, max(1, min(AHEAD_BYTES, MOST_AHEAD_BYTES // count)))

    def come(self, course: Course) -> None:
        """There may be something of this one to try."""
        if course in self._courses:
            self._ready.setdefault(course)
        self.go_on()

    def stop(self) -> None:
        """Begin nothing any more, whatever is set or comes."""
        self._is_stopped = True
        self._wait_no_more()

    def give_up(self) -> None:
        """Begin nothing until it is set anew, or taken up."""
        self._is_given_up = True
        self._wait_no_more()
        self._rest()

    def take_up(self) -> None:
        """It is not given up after all."""
        self._is_given_up = False
        self.go_on()

    def close(self) -> None:
        """It is gone, or is another one's."""
        self.stop()
        if self.endpoint.target is not None:
            self._client.forget(self.endpoint.target)

    # --- trying --------------------------------------------------------------------------

    def go_on(self) -> None:
        """Try what may be tried now."""
        endpoint = self.endpoint
        if self._is_stopped:
            return
        if not (self._clock.is_known and endpoint.is_active and endpoint.target) or self._is_given_up:
            self._rest()
            return
        now, breaker, rise = self._clock.now(), self.faring.breaker, self.faring.rise
        if not breaker.may_try(now, self.out):
            if not self.out:
                self._rest()
                self._go_on_in((breaker.until - now) / 1000)
            return
        self._wake()
        seconds = time.monotonic()  # All that begins here begins now.
        allowed = rise.allowed(seconds)
        while self.out < allowed and breaker.may_try(now, self.out):
            if (wait := self._pace.wait(seconds)) > 0:
                self._go_on_in(wait)
                return
            if not self._try_next(now):
                return
            self._pace.take(seconds)
            rise.send(seconds)

    def _try_next(self, now: int) -> bool:
        ready = self._ready
        while ready:
            course = next(iter(ready))
            if (item := course.next()) is not None:
                if len(ready) > 1:
                    ready.move_to_end(course)
                self._try(course, item, now)
                return True
            del ready[course]
        return False

    def _try(self, course: Course, item: Item | Batch, began_at: int) -> None:
        endpoint = self.endpoint
        if endpoint.target is None or endpoint.signer is None:
            course.settle(item, WITHHELD)
            return
        self.out += 1
        self._told.out += 1
        try:
            id, lines, body = self._encoding.of(course.hook.format, item)
            signed = endpoint.signer.lines(id, int(time.time()), body)
            done = functools.partial(self._done, course, item, id, began_at)
            self._client.send(endpoint.target, lines + signed, body, done)
        except Exception as exc:  # Whatever it is: it is this message's, and holds up no other one.
            # Not what the error says: there may be something of the message in it.
            kind, name = type(exc).__name__, course.hook.subscription.name
            what, id = ("batch", item.id) if isinstance(item, Batch) else ("message", item.id.hex())
            log.error("%s %s of subscription %s cannot be sent: %s", what, id, name, kind)
            unfit = Answer(None, Failure.REQUEST, f"It cannot be written as a request: {kind}")
            done = functools.partial(self._done, course, item, id, began_at)
            asyncio.get_running_loop().call_soon(done, unfit)

    def _done(self, course: Course, item: Item | Batch, id: str, began_at: int, answer: Answer) -> None:
        self.out -= 1
        self._told.out -= 1
        if answer.is_unsent:
            course.settle(item, WITHHELD)
            if course in self._courses:
                self._ready.setdefault(course)
            self._go_on_in(_UNSENT_SECONDS)
            return
        self._judge(course, item, answer, began_at)
        self._told.attempted(self, course, item, id, answer)
        self.come(course)

    def _judge(self, course: Course, item: Item | Batch, answer: Answer, began_at: int) -> None:
        verdict, now = judge(answer), self._clock.now()
        if verdict.is_done:
            course.settle(item, DONE)
            self.faring.succeeded(answer, now)
            return
        wait = None  # What is unfit stays so: it is dead at once.
        if verdict is not Verdict.UNFIT:
            later = answer.retry_after if verdict is Verdict.SLOW else None
            wait = course.hook.schedule.wait_ms(item.tries, random.random(), later)
        together = item.items if isinstance(item, Batch) else ()
        is_apart = bool(together) and is_of_content(answer)
        if wait is None and is_apart and len(together) > 1:
            wait = 0  # One of them is why, and which shows once each goes by itself.
        due_at = None if wait is None else now + wait
        course.settle(item, Failed(due_at, why(answer), is_apart))
        if verdict.is_theirs:
            self.faring.failed(verdict, answer, now, began_at, random.random())
            self._look_whether_it_is_gone(verdict)

    def _look_whether_it_is_gone(self, verdict: Verdict) -> None:
        if self._is_stopped or self._is_given_up:
            return
        if verdict is Verdict.GONE:
            self._told.gone(self, "it answered 410: gone")
        elif self.faring.failing.has_to_end:
            self._told.gone(self, "for five days it has taken nothing")

    def seen(self) -> Seen:
        """What is to be written of it."""
        endpoint, faring = self.endpoint, self.faring
        faring.written()
        state = faring.breaker.state(self._clock.now()).value
        return Seen(endpoint.id, endpoint.revision, faring.breaker, faring.failing, state, *faring.last)

    # --- waiting -------------------------------------------------------------------------

    def _wait_no_more(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _go_on_in(self, seconds: float) -> None:
        self._wait_no_more()
        if self._is_stopped:
            return
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(max(_LEAST_WAIT_SECONDS, seconds), self.go_on)

    def _rest(self) -> None:
        """Nothing is sent for a while: nothing is held in memory for it."""
        if not self._is_resting:
            self._is_resting = True
            for course in self._courses:
                course.rest()

    def _wake(self) -> None:
        if self._is_resting:
            self._is_resting = False
            for course in self._courses:
                course.wake()


def why(answer: Answer) -> str:
    """Why it is not done, in one short sentence."""
    if answer.status is not None:
        return f"answered {answer.status}"
    reason = "" if answer.failure is None else answer.failure.value
    return f"{reason}: {answer.detail}" if answer.detail else reason
