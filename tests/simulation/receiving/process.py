"""One web process, played: what `alerts_app.receiving` does around `relaycore.receiving`.

Generators that yield wherever somebody else may come in between, the process be killed, or freeze. One takes
requests. Another one ends what is over, and tells what waits.
"""

import random
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from relaycore.alerting.labelled.posted import Alert
from relaycore.publishing.standing import Awaited, judge
from relaycore.publishing.telling import Telling
from relaycore.receiving import states
from relaycore.receiving.hearing import Awake, Hearing
from relaycore.receiving.states import State

from .channel import NotTaken
from .postgres import Away, Row, Steps, Transaction

if TYPE_CHECKING:
    from .world import World

Left = Generator[None, None, list[Alert]]
Told = Generator[None, None, bool]

GRACE_SECONDS: Final = 25
AT_ONCE: Final = 4
_TELLER: Final = "whoever tells"


class Late(Exception):
    """A request is too old."""


@dataclass(eq=False)
class Request:
    """Times are seconds.

    read_at:  when the process saw it
    is_taken: what it was answered; None: nothing, so far
    """

    alerts: list[Alert]
    sent_at: int
    read_at: int | None = None
    is_taken: bool | None = None


class Process:
    """Until it is killed."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._random: random.Random = world.random
        self.frozen_until = 0
        self._transactions: list[Transaction] = []
        self.requests: deque[Request] = deque()
        self.hearing, self.awake = Hearing(world.now), Awake(world.now)
        self.telling: Telling[Awaited] = Telling()
        self._jobs = [self._take_all(), self._keep()]

    def step(self) -> None:
        if self._world.now >= self.frozen_until:
            self.awake.beat(self._world.now)
            for request in self.requests:
                request.read_at = self._world.now if request.read_at is None else request.read_at
            next(self._jobs[self._random.randrange(2)])

    def die(self) -> None:
        """Whoever waits for an answer gets none."""
        for one in self._transactions:
            one.roll_back()
        for request in self.requests:
            request.is_taken = False

    # --- requests ------------------------------------------------------------------------------

    def _take_all(self) -> Steps:
        while True:
            yield
            if self.requests:
                yield from self._answer(self.requests[0])
                self.requests.popleft()

    def _answer(self, request: Request) -> Steps:
        for _ in range(2):  # Once more, if it had to connect anew.
            try:
                yield from self.take(request)
            except Away:
                self._world.happened["away"] += 1
                yield
            except Late:
                self._world.happened["late"] += 1
                break
            else:
                if self._random.random() < 0.95 or not self._world.has_faults:
                    request.is_taken = True
                return
        request.is_taken = False

    def take(self, request: Request) -> Steps:
        left = yield from self._go_on(request.alerts)
        if left:
            yield from self._change(request, left)

    def _go_on(self, alerts: list[Alert]) -> Left:
        """One statement."""
        postgres = self._world.postgres
        one = self._begin()
        done = set()
        for said in sorted(alerts, key=lambda alert: alert.fingerprint):
            row = one.row(said.fingerprint)
            if row is None or not states.goes_on(row.state, said, postgres.clock):
                continue
            yield from one.lock(said.fingerprint)
            if self._still_goes_on(one, said):
                row = one.row(said.fingerprint) or row
                one.write(said.fingerprint, Row(states.gone_on(row.state, said), postgres.clock))
                done.add(said.fingerprint)
        yield from self._commit(one)
        return [said for said in alerts if said.fingerprint not in done]

    def _still_goes_on(self, one: Transaction, said: Alert) -> bool:
        """Somebody else may have had the row before."""
        row = one.row(said.fingerprint)
        return row is not None and states.goes_on(row.state, said, self._world.postgres.clock)

    def _change(self, request: Request, alerts: list[Alert]) -> Steps:
        one = self._begin()
        yield
        yield from self._hold(one, {said.fingerprint: said for said in alerts})
        yield
        keys = sorted({said.fingerprint for said in alerts})
        rows = {key: one.row(key) for key in keys}
        yield
        at = self._time(one)
        yield
        assert request.read_at is not None
        if self.awake.is_late(request.read_at, self._world.now):
            one.roll_back()
            raise Late
        known = {key: row.state for key, row in rows.items() if row is not None}
        taken = states.take(known, alerts, at)
        for key, state in taken.states.items():
            one.write(key, Row(state, at))
        yield
        yield from self._note(one, taken.told)
        yield from self._commit(one)

    def _hold(self, one: Transaction, said: dict[str, Alert]) -> Steps:
        for key in sorted(said):
            yield from one.lock(key)
            if one.row(key) is None:
                one.write(key, Row(states.unknown(said[key]), 0))

    def _time(self, one: Transaction) -> int:
        one.use()
        return self._world.postgres.clock

    def _note(self, one: Transaction, messages: Sequence[str]) -> Steps:
        for message in messages:
            one.note(message)
        yield

    # --- what is over, and what waits ----------------------------------------------------------

    def _keep(self) -> Steps:
        while True:
            yield
            try:
                yield from self._end()
                yield from self._forget()
                yield from self._tell()
            except Away:
                self.hearing.failed(self._world.now)
                yield
            except NotTaken:
                yield

    def _end(self) -> Steps:
        self._world.postgres.ask()
        at = self._world.postgres.clock
        yield
        if self.hearing.is_long_enough(self._world.now, GRACE_SECONDS):
            yield
            yield from self.end(at)

    def end(self, at: int) -> Steps:
        one = self._begin()
        yield
        ended: list[tuple[str, State]] = []
        for key, row in sorted(self._world.postgres.rows.items()):
            if states.is_over(row.state, at) and one.lock_at_once(key):
                held = one.row(key)
                if held is not None and states.is_over(held.state, at):
                    ended.append((key, held.state))
        yield
        for key, state in ended:
            after, message = states.end(state)
            one.write(key, Row(after, self._world.postgres.clock))
            yield from self._note(one, (message,))
            self._world.happened["ended"] += 1
        yield from self._commit(one)

    def _forget(self) -> Steps:
        """One statement."""
        if self._random.random() < 0.7:
            return
        one = self._begin()
        at = self._world.postgres.clock
        for key, row in list(self._world.postgres.rows.items()):
            if states.is_forgotten(row.state, row.updated, at) and one.lock_at_once(key):
                one.write(key, None)
                self._world.happened["forgotten"] += 1
        yield from self._commit(one)

    def _tell(self) -> Steps:
        if not self._world.postgres.waiting:
            return
        one = self._begin()
        try:
            yield
            yield from one.lock(_TELLER)
            yield
            waiting = sorted(self._world.postgres.waiting.items())[:AT_ONCE]
            one.use()
            yield
            if waiting:
                yield from self._tell_those(one, waiting)
            yield from self._commit(one)
        finally:
            one.roll_back()

    def _tell_those(self, one: Transaction, waiting: list[tuple[int, str]]) -> Steps:
        waiting = waiting[: self.telling.together([id for id, _ in waiting])]
        if self.telling.where is None:
            keys = [(id.to_bytes(12), message) for id, message in waiting]
            where = self._world.channel.append(keys)
            self.telling.appended([id for id, _ in waiting], where)
        yield
        if not (yield from self._are_stored()):
            raise NotTaken
        for id, _ in waiting:
            one.delete(id)
        yield

    def _are_stored(self) -> Told:
        for _ in range(6):  # So long it waits.
            assert self.telling.where is not None
            seen = self._world.channel.look()
            yield
            verdict = judge(self.telling.where, seen)
            is_told = self.telling.judged(verdict)
            if is_told or self.telling.where is None:
                self._world.happened["stored" if is_told else "lost"] += 1
                return is_told
        return False

    # --- transactions --------------------------------------------------------------------------

    def _begin(self) -> Transaction:
        self._transactions = [one for one in self._transactions if not one.is_over]
        self._transactions.append(self._world.postgres.begin())
        return self._transactions[-1]

    def _commit(self, one: Transaction) -> Steps:
        """Its answer may be lost."""
        yield
        one.commit()
        if self._world.has_faults and self._random.random() < 0.02:
            raise Away
