"""Whoever publishes is answered, whatever the line to Redis does, and with what is so."""

import asyncio
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from messages_app.publishing import appending as module
from messages_app.publishing import looking
from messages_app.publishing.appending import ALONE, FULL, STOPPED, Appending
from messages_app.publishing.footing import Footing
from messages_app.publishing.looking import Looking
from relaycore import legacy
from relaycore.errors import Disconnected, NotTaken
from relaycore.publishing.queue import Echo, Published
from relaycore.publishing.standing import Stood

from .played import SEPARATOR, PlayedLine, PlayedRedis, refusal

FOOTING = Footing(0, "1 1", "control", b"key")


class Stage:
    """An `Appending` with its `Looking`, on a line and before a Redis that are played. `now`: seconds."""

    def __init__(self, *, is_replicated: bool = False) -> None:
        self._patched = pytest.MonkeyPatch()
        self.now = 0.0
        clock = SimpleNamespace(monotonic=lambda: self.now)
        self._patched.setattr(looking, "time", clock)
        self._patched.setattr(module, "time", clock)
        self.loop = asyncio.new_event_loop()
        self.redis = PlayedRedis()
        self.line = PlayedLine(self._opened, self._failed)
        self.looking = Looking(self.line)
        self.appending = Appending(
            FOOTING, self.line, self.looking, lambda: None, is_replicated=is_replicated
        )

    def publish(self, published: Published) -> "asyncio.Task[Stood]":
        """Somebody asks."""
        task = self.loop.create_task(self.appending.append(published))
        self.turn()
        return task

    def _opened(self) -> None:
        self.appending.turn()

    def _failed(self, why: Disconnected) -> None:
        self.appending.give_up(why)

    def turn(self) -> None:
        """Whoever was answered goes on."""
        self.loop.run_until_complete(asyncio.sleep(0))

    def answer_all(self) -> list[tuple[Any, ...]]:
        """Redis answers all that it is asked, which is what comes of it too; all of that."""
        done = []
        while self.line.asked:
            done.append(self.line.asked[0][0])
            self.line.reply(self.redis.run(done[-1]))
        self.turn()
        return done

    def close(self) -> None:
        """In the end."""
        self._patched.undo()
        self.loop.close()


@pytest.fixture
def alone() -> Iterator[Stage]:
    """Where what is to be on a replica is on none."""
    stage = Stage(is_replicated=True)
    stage.redis.replicas = 0
    yield stage
    stage.close()


def one(*documents: bytes, echo: Echo | None = None) -> Published:
    return Published([document + SEPARATOR for document in documents], echo)


def told(task: "asyncio.Task[Stood]") -> str:
    """The error."""
    return str(task.exception())


def test_what_no_replica_confirms_stands_and_is_what_everything_else_is(alone: Stage) -> None:
    payloads = [b"x" * 200_000] * 3
    alone.redis.most = 10_000_000
    first = alone.publish(one(b"a", echo=Echo(b"orders", payloads)))
    alone.line.dialled(succeeds=True)

    names = [command[0] for command in alone.answer_all()]

    assert told(first) == ALONE
    assert names[:2] == ["PUBSUB", "INFO"]
    assert names[2:4] == ["EVAL", "WAIT"]
    assert names.count("EVAL") == 1 + 3, "a large echo goes out in steps"
    second = alone.publish(one(b"b"))
    alone.answer_all()
    assert told(second) == ALONE
    assert alone.redis.known == [0, 1], "the running number was learned"


def test_what_no_replica_confirms_takes_up_memory(alone: Stage) -> None:
    alone.publish(one(b"x" * 500))
    alone.line.dialled(succeeds=True)
    alone.answer_all()

    alone.publish(one(b"b"))

    assert alone.line.asked[0][0][0] == "PUBSUB", "near the limit it is looked at again"


def test_consumers_of_the_older_kind_hear_of_what_no_replica_confirms(
    alone: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(legacy, "as_json", bytes)
    alone.redis.consumers = 1
    alone.publish(one(b"a"))
    alone.line.dialled(succeeds=True)

    assert alone.answer_all()[-1][0] == "PUBLISH"


class Lines(RuleBasedStateMachine):
    """Whatever a line and Redis do."""

    is_replicated = False

    @initialize()
    def begin(self) -> None:
        self.stage = Stage(is_replicated=self.is_replicated)
        self.line, self.redis = self.stage.line, self.stage.redis
        self.asked: list[tuple[Published, asyncio.Task[Stood]]] = []
        self.is_wanted = False
        self.said = self.learned = 0

    @rule(count=st.integers(1, 3))
    def publish(self, count: int) -> None:
        names = [b"%d.%d" % (len(self.asked), index) for index in range(count)]
        published = one(*names)
        self.is_wanted |= not self.line.is_open and not self.line.has_failed
        self.asked.append((published, self.stage.publish(published)))

    @precondition(lambda self: self.line.is_dialled)
    @rule(succeeds=st.booleans())
    def dial(self, succeeds: bool) -> None:
        self.is_wanted = False
        self.line.dialled(succeeds=succeeds)

    @precondition(lambda self: self.line.asked)
    @rule()
    def answer(self) -> None:
        command = self.line.asked[0][0]
        reply = self.redis.run(command)
        if command[0] == "EVAL":
            self.said = int(reply[1])
        if command[0] == ("WAIT" if self.is_replicated else "EVAL"):
            self.learned = max(self.learned, self.said)
        self.line.reply(reply)

    @precondition(lambda self: self.line.asked)
    @rule(text=st.sampled_from(["OOM", "NOPERM", "READONLY", "LAYOUT here it is moving", "ERR"]))
    def refuse(self, text: str) -> None:
        command = self.line.asked[0][0]
        if command[0] == "EVAL":
            self.said = 0
        elif command[0] == "WAIT":  # Whoever may not ask has appended all the same.
            self.learned = max(self.learned, self.said)
        self.line.reply(refusal(text))

    @precondition(lambda self: self.line.is_open)
    @rule(done=st.integers(0, 3))
    def lose(self, done: int) -> None:
        """The connection ends. Redis has done so much of what it was asked, and its answers are lost."""
        for command, _ in list(self.line.asked)[:done]:
            self.redis.run(command)
        self.line.drop("the test")

    @rule(used=st.sampled_from([0, 500, 900]))
    def fill(self, used: int) -> None:
        self.redis.used = used

    @rule(replicas=st.integers(0, 1))
    def replicate(self, replicas: int) -> None:
        self.redis.replicas = replicas

    @rule()
    def wait(self) -> None:
        self.stage.now += 0.6
        self.line.has_failed = False

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        self.stage.turn()
        waits = any(not task.done() for _, task in self.asked)
        if self.line.is_open:
            assert self.line.asked or not waits
        else:
            assert self.line.is_dialled or not (waits or self.is_wanted)

    @invariant()
    def what_is_told_is_so(self) -> None:
        stream = set(self.redis.stream)
        for published, task in self.asked:
            if not task.done():
                continue
            error = task.exception()
            if error is None or str(error) == ALONE:
                assert set(published.documents) <= stream
            elif str(error) == STOPPED:
                assert published.may_repeat
            else:
                assert not set(published.documents) & stream

    @invariant()
    def what_was_learned_is_said(self) -> None:
        for command, _ in self.line.asked:
            if command[0] == "EVAL":
                assert command[3 + command[2]] == self.learned

    def teardown(self) -> None:
        if hasattr(self, "stage"):
            for _, task in self.asked:
                task.cancel()
            self.stage.turn()
            self.stage.close()


class ReplicatedLines(Lines):
    is_replicated = True


TestLines: Any = Lines.TestCase
TestReplicatedLines: Any = ReplicatedLines.TestCase


def _refuse_before_anybody_dials(append: Callable[..., Any]) -> Callable[..., Any]:
    """As if it were known that Redis is full, whatever the line is."""

    async def appended(self: Appending, published: Published) -> Stood:
        if self._looking.is_full:
            if self._looking.is_due:
                self._looking.look(lambda: None)
            raise NotTaken(FULL)
        return await append(self, published)  # type: ignore[no-any-return]

    return appended


def test_control_who_refuses_before_anybody_dials_refuses_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Appending, "append", _refuse_before_anybody_dials(Appending.append))
    with pytest.raises(AssertionError, match="is_wanted"):
        run_state_machine_as_test(
            Lines,
            settings=settings(
                max_examples=1000,
                stateful_step_count=50,
                derandomize=True,
                database=None,
                phases=[Phase.generate],
            ),
        )
