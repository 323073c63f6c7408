"""One endpoint: who is next, how much may be out to it, and when it is left alone."""

import asyncio
import functools
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from relaycore.sending.answers import Answer, Failure
from relaycore.sending.batches.batch import Batch
from relaycore.sending.breaker import MOST, Breaker
from relaycore.sending.failing import Failing
from relaycore.sending.items import Failed, Item, Withheld
from relaycore.sending.schedule import Schedule
from webhooks_app.sending.clock import Clock
from webhooks_app.sending.encoding import Ready
from webhooks_app.sending.known import KnownEndpoint
from webhooks_app.sending.lane import MOST_AHEAD, MOST_AHEAD_BYTES, Lane
from webhooks_app.sending.share import AHEAD, AHEAD_BYTES, Share

TOOK = Answer(204)
FAILED = Answer(500)
UNSENT = Answer(None, Failure.OURS, is_unsent=True)


class Course:
    """A subscription with so many messages; what was said of them."""

    def __init__(self, name: str, count: int) -> None:
        self.name = name
        self.items: list[Any] = [
            Item(f"{name}{number}", name.encode(), {"message": name}) for number in range(count)
        ]
        known = SimpleNamespace(name=name)
        self.hook = SimpleNamespace(format=None, schedule=Schedule((0, 60, 60)), subscription=known)
        self.share = Share()
        self.outcomes: list[Any] = []
        self.is_resting = True

    def next(self) -> Item | None:
        return self.items.pop(0) if self.items else None

    def settle(self, item: Item, outcome: Any) -> None:
        self.outcomes.append(outcome)
        if isinstance(outcome, Withheld):
            self.items.insert(0, item)

    def rest(self) -> None:
        self.is_resting = True

    def wake(self) -> None:
        self.is_resting = False


class Bench:
    """A lane whose client answers when it is told to."""

    def __init__(self, **fields: Any) -> None:
        self.sent: list[tuple[str, Callable[[Answer], None]]] = []
        self.told: list[tuple[Any, ...]] = []
        self.out = 0
        self.clock = Clock()
        self.clock.hear(1_000_000)
        own = {"breaker": Breaker(), "failing": Failing(), "target": object(), "signer": self, **fields}
        common = {
            "id": 1,
            "name": "shop",
            "revision": 1,
            "is_active": True,
            "most_out": 2,
            "per_second": None,
        }
        self.lane = Lane(KnownEndpoint(**{**common, **own}), self, self, self.clock, self)  # type: ignore[arg-type]

    def add(self, *courses: Course) -> None:
        for course in courses:
            self.lane.add(course)  # type: ignore[arg-type]
        for course in courses:
            self.lane.come(course)  # type: ignore[arg-type]

    def lines(self, id: str, at: int, body: bytes) -> bytes:
        return b""

    def of(self, format: Any, item: Item | Batch) -> Ready:
        if isinstance(item, Batch):
            return Ready(item.id, b"", b"")
        if item.document["message"] == "unfit":
            raise ValueError("what stands in it is nobody's business")
        return Ready(item.document["message"], b"", b"")

    def send(self, target: Any, head: Any, body: bytes, done: Callable[[Answer], None]) -> None:
        assert isinstance(done, functools.partial)
        self.sent.append((done.args[2], done))

    def forget(self, target: Any) -> None:
        pass

    def attempted(self, *what: Any) -> None:
        self.told.append(("attempted", what[2].position))

    def gone(self, lane: Lane, reason: str) -> None:
        self.told.append(("gone", reason))
        lane.give_up()

    def answer(self, answer: Answer) -> str:
        """The oldest that is out is answered; whose it was."""
        name, done = self.sent.pop(0)
        done(answer)
        return name


def in_loop(work: Callable[[], Any]) -> None:
    async def run() -> None:
        await work()

    asyncio.run(run())


async def _turns() -> None:
    bench = Bench()
    bench.add(Course("a", 100), Course("b", 3), Course("c", 3))
    assert [bench.answer(TOOK) for _ in range(3)] == ["a"] * 3, "it was there before the others"
    came = [bench.answer(TOOK) for _ in range(9)]
    assert sorted(came[:3]) == sorted(came[3:6]) == sorted(came[6:9]) == ["a", "b", "c"]
    assert [bench.answer(TOOK) for _ in range(5)] == ["a"] * 5
    assert bench.lane.out == 2


async def _left_alone() -> None:
    bench, course = Bench(), Course("a", 100)
    bench.add(course)
    for _ in range(MOST):
        assert not course.is_resting
        bench.answer(FAILED)
    assert len(bench.sent) == 1, "what was out already"
    bench.answer(FAILED)
    assert not bench.sent
    assert course.is_resting, "nothing is held in memory for it"
    assert bench.lane.faring.is_changed
    assert bench.lane.seen().state == "open"
    assert all(isinstance(one, Failed) and one.due_at for one in course.outcomes)

    bench.clock.hear(bench.lane.faring.breaker.until + 1)
    bench.lane.go_on()
    assert len(bench.sent) == 1, "one at a time"
    bench.answer(TOOK)
    assert len(bench.sent) == 2, "it takes them again"
    assert bench.lane.seen().state == "closed"


async def _pace() -> None:
    bench = Bench(per_second=20.0, most_out=100)
    bench.add(Course("a", 100))
    assert len(bench.sent) < 10
    before = len(bench.sent)
    await asyncio.sleep(0.3)
    assert before + 2 <= len(bench.sent) <= before + 8


async def _slow_pace() -> None:
    bench = Bench(per_second=0.001)
    bench.add(Course("a", 9))
    assert len(bench.sent) == 1
    bench.lane.set(replace(bench.lane.endpoint))
    bench.lane.set(replace(bench.lane.endpoint, revision=2, per_second=0.002))
    assert len(bench.sent) == 1, "it was read again, and has not waited"
    bench.lane.set(replace(bench.lane.endpoint, revision=3, per_second=20.0))
    async with asyncio.timeout(5):
        while len(bench.sent) < 2:
            await asyncio.sleep(0.01)


async def _read_again() -> None:
    bench = Bench(most_out=1)
    bench.add(Course("a", 9))
    known = bench.lane.endpoint
    bench.answer(FAILED)
    before = bench.lane.faring.breaker, bench.lane.faring.failing
    bench.lane.set(replace(known))
    assert (bench.lane.faring.breaker, bench.lane.faring.failing) == before != (Breaker(), Failing())
    bench.lane.set(replace(known, revision=2))
    assert (bench.lane.faring.breaker, bench.lane.faring.failing) == (Breaker(), Failing())


async def _withheld() -> None:
    bench, course = Bench(most_out=1), Course("a", 1)
    bench.add(course)
    bench.lane.go_on()  # There is nothing more of it: it is not asked again.
    bench.lane._ready.clear()
    bench.answer(UNSENT)
    assert [type(one) for one in course.outcomes] == [Withheld]
    assert not bench.told, "it was no attempt"
    assert bench.lane.faring.breaker == Breaker()
    async with asyncio.timeout(5):
        while not bench.sent:
            await asyncio.sleep(0.01)


async def _removed() -> None:
    bench, course, other = Bench(most_out=1), Course("a", 2), Course("b", 2)
    bench.add(course, other)
    bench.lane.remove(course)  # type: ignore[arg-type]
    bench.answer(TOOK)
    assert [name for name, _ in bench.sent] == ["b"]
    bench.answer(TOOK)
    assert [name for name, _ in bench.sent] == ["b"]
    assert course not in bench.lane._ready  # type: ignore[comparison-overlap]


async def _removed_while_it_rests() -> None:
    bench, course = Bench(most_out=1), Course("a", 2)
    bench.add(course)
    bench.lane.remove(course)  # type: ignore[arg-type]
    bench.lane.stop()
    bench.answer(TOOK)
    assert not bench.lane._ready, "it is kept in memory for ever"


async def _gone() -> None:
    bench, course = Bench(), Course("a", 9)
    bench.add(course)
    bench.answer(Answer(410))
    assert ("gone", "it answered 410: gone") in bench.told
    bench.answer(TOOK)
    assert not bench.sent


async def _taken_up() -> None:
    bench, course = Bench(most_out=1), Course("a", 9)
    bench.add(course)
    bench.answer(Answer(410))
    assert not bench.sent
    bench.lane.take_up()
    assert len(bench.sent) == 1
    bench.answer(Answer(410))
    bench.lane.set(bench.lane.endpoint)
    assert len(bench.sent) == 1


async def _stopped() -> None:
    bench, course = Bench(most_out=1), Course("a", 9)
    bench.add(course)
    bench.lane.stop()
    bench.lane.set(bench.lane.endpoint)
    bench.lane.take_up()
    bench.answer(TOOK)
    assert not bench.sent, "it was stopped for good"
    assert len(course.outcomes) == 1, "what was under way counts"
    assert bench.lane.seen().last_success_at == bench.lane.seen().last_attempt_at is not None


async def _stopped_while_it_waits() -> None:
    bench, course = Bench(most_out=1), Course("a", 9)
    bench.add(course)
    bench.lane.stop()
    bench.answer(UNSENT)
    await asyncio.sleep(0.3)
    assert not bench.sent


async def _unfit() -> None:
    bench, course, other = Bench(), Course("unfit", 20), Course("b", 3)
    bench.add(course, other)
    for _ in range(60):
        await asyncio.sleep(0)
        if bench.sent:
            bench.answer(TOOK)
    assert [(type(one), one.due_at) for one in course.outcomes] == [(Failed, None)] * 20, "dead, each once"
    assert "nobody's business" not in course.outcomes[0].why
    assert len(other.outcomes) == 3, "the others flow"
    assert ("attempted", "unfit0") in bench.told
    assert (bench.lane.faring.breaker, bench.lane.faring.failing) == (Breaker(), Failing()), (
        "the endpoint was not asked"
    )
    assert bench.lane.out == 0


async def _unfit_to_the_client() -> None:
    bench, course = Bench(most_out=1), Course("a", 2)
    bench.add(course)
    bench.answer(Answer(None, Failure.REQUEST, "a header has a line break"))
    assert course.outcomes == [Failed(None, "request: a header has a line break")]
    assert (bench.lane.faring.breaker, bench.lane.faring.failing) == (Breaker(), Failing())
    assert not bench.lane.faring.has_news


async def _unfit_together() -> None:
    bench, course = Bench(most_out=1), Course("a", 4)
    together, alone = Batch([course.items.pop(), course.items.pop()]), Batch([course.items.pop()])
    course.items[:] = [together, alone]
    bench.add(course)
    assert len(bench.sent) == 1
    unfit = Answer(None, Failure.REQUEST, "a header has a line break")
    bench.answer(unfit)
    bench.answer(unfit)
    why = "request: a header has a line break"
    first, second = course.outcomes
    assert first.due_at <= bench.clock.now(), "nothing was sent: each goes by itself, at once"
    assert (first.why, first.is_apart) == (why, True)
    assert second == Failed(None, why, is_apart=True), "and then it is known which it is"


async def _refused_together() -> None:
    bench, course = Bench(most_out=1), Course("a", 4)
    course.items[:] = [Batch([course.items.pop(), course.items.pop()]), course.items.pop()]
    bench.add(course)
    bench.answer(Answer(422))
    bench.answer(Answer(422))
    assert [one.is_apart for one in course.outcomes] == [True, False]
    assert all(one.due_at > bench.clock.now() + 40_000 for one in course.outcomes), "as the schedule says"


async def _refused_together_at_last() -> None:
    bench, course = Bench(most_out=1), Course("a", 2)
    course.hook.schedule = Schedule((0,))
    course.items[:] = [Batch(course.items), Batch([Item("b0", b"b", {})])]
    bench.add(course)
    bench.answer(Answer(422))
    bench.answer(Answer(422))
    first, second = course.outcomes
    assert first.due_at <= bench.clock.now(), "which it is shows next"
    assert second.due_at is None


async def _ours() -> None:
    bench, course = Bench(most_out=1), Course("a", 2)
    bench.add(course)
    bench.answer(Answer(None, Failure.OURS, "no sockets are left"))
    assert course.outcomes[0].due_at is not None, "it may have arrived, and is tried again"
    assert (bench.lane.faring.breaker, bench.lane.faring.failing) == (Breaker(), Failing())


async def _news() -> None:
    bench, course = Bench(most_out=1), Course("a", 9)
    bench.add(course)
    assert not bench.lane.faring.has_news
    bench.answer(TOOK)
    assert bench.lane.faring.has_news
    assert not bench.lane.faring.is_changed
    assert bench.lane.seen().last_status == 204
    assert not bench.lane.faring.has_news
    bench.lane.faring.missed()
    assert bench.lane.faring.has_news
    assert bench.lane.faring.is_changed


async def _shares() -> None:
    bench = Bench()
    courses = [Course(f"c{number}", 0) for number in range(500)]
    bench.add(*courses[:2])
    assert courses[0].share == Share(AHEAD, AHEAD_BYTES)
    bench.add(*courses[2:])
    assert sum(one.share.most for one in courses) <= MOST_AHEAD
    assert sum(one.share.size for one in courses) <= MOST_AHEAD_BYTES
    for course in courses[1:]:
        bench.lane.remove(course)  # type: ignore[arg-type]
    assert courses[0].share == Share(AHEAD, AHEAD_BYTES)


async def _enabled() -> None:
    bench, course = Bench(is_active=False, most_out=8), Course("a", 100)
    bench.add(course)
    active = {"is_active": True, "revision": 2}
    bench.lane.set(replace(bench.lane.endpoint, **active))
    bench.lane.come(course)  # type: ignore[arg-type]
    out = [len(bench.sent)]
    for _ in range(7):
        bench.answer(TOOK)
        out.append(len(bench.sent))
    assert out == [1, 2, 2, 4, 4, 4, 4, 8]
    bench.lane.set(replace(bench.lane.endpoint))  # It was read again, and nothing has changed.
    bench.answer(TOOK)
    assert len(bench.sent) == 8


async def _rested() -> None:
    bench = Bench(is_rested=True, most_out=8)
    bench.add(Course("a", 100))
    assert len(bench.sent) == 1


async def _after_its_breaker() -> None:
    bench = Bench(most_out=8)
    bench.add(Course("a", 100))
    while bench.sent:
        bench.answer(FAILED)
    bench.clock.hear(bench.lane.faring.breaker.until + 1)
    bench.lane.go_on()
    bench.answer(TOOK)
    assert len(bench.sent) == 2, "and not all that it takes at its best"


async def _inactive() -> None:
    bench, course = Bench(is_active=False), Course("a", 9)
    bench.add(course)
    assert not bench.sent
    assert course.is_resting


@pytest.mark.parametrize(
    "work",
    [
        *(_enabled, _rested, _after_its_breaker),
        *(_turns, _left_alone, _pace, _withheld, _removed, _removed_while_it_rests, _gone, _taken_up),
        *(_stopped, _stopped_while_it_waits, _unfit, _unfit_to_the_client, _ours, _news, _shares, _inactive),
        *(_unfit_together, _refused_together, _refused_together_at_last),
        *(_slow_pace, _read_again),
    ],
    ids=[
        "once it is enabled it is sent to slowly at first",
        "and so it is after a long pause",
        "and after its breaker was open",
        "its subscriptions take turns",
        "after failures it is left alone, and is tried by one",
        "so many begin in a second",
        "what was withheld is tried again though nobody says so",
        "what was removed is not tried",
        "what was removed does not stay in memory",
        "whoever is gone is told of, and is sent nothing",
        "until it is taken up again, or set anew",
        "once it is stopped nothing begins any more, whatever is set",
        "nor does what waits",
        "a message that cannot be written as a request is dead, and harms no other one",
        "nor one that cannot be sent as it is",
        "what is our own failure is not held against the endpoint",
        "what it has answered is to be written once",
        "however many hang on it, so much is read ahead",
        "to one that is disabled nothing is sent",
        "of a batch that cannot be sent each goes by itself",
        "and so it does where its content may be why it is refused",
        "once more after the last attempt, since nobody knows which it is",
        "whoever is to wait for a long time waits, however often it is set",
        "what was learnt of it is not undone when it is read again, until somebody has set it",
    ],
)
def test_lane(work: Callable[[], Any]) -> None:
    in_loop(work)
