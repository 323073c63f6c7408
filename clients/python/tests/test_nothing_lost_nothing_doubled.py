"""Whatever Relay and the network do, each message is settled once, and what is said of it is true.

Relay is a model that stores by idempotency key. An attempt may be applied and its answer lost, be lost
before, or be refused; messages may be bad, requests too large; time passes as it likes.
"""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from relay_client import Limits, Receipt, Undelivered
from relay_client.errors import RelayError
from relay_client.publishing.outbox import Outbox
from relay_client.publishing.outgoing import (
    Accepted,
    Again,
    Batch,
    Outcome,
    Outgoing,
    Refused,
    Settled,
    TooMuch,
)

ERROR = RelayError("so it is")
NOT_APPLIED: dict[str, Outcome] = {
    "request lost": Again(ERROR, may_be_stored=True),
    "not sent": Again(ERROR, may_be_stored=False),
    "throttled": Again(ERROR, may_be_stored=False, asked=2.0),
    "refused": Refused(ERROR),
    "too much": TooMuch(ERROR),
}
FAULTS = ("none", "answer lost", *NOT_APPLIED)

actions = st.one_of(
    st.tuples(st.just("add"), st.sampled_from("xyz"), st.integers(1, 12)),
    st.tuples(st.just("add bad"), st.sampled_from("xyz"), st.integers(1, 12)),
    st.tuples(st.just("wait"), st.floats(0, 3)),
    st.tuples(st.just("hurry")),
    st.tuples(st.just("answer"), st.integers(0, 3), st.sampled_from(FAULTS), st.floats(0, 1)),
)
limits = st.builds(
    Limits,
    batch_messages=st.integers(1, 5),
    batch_bytes=st.integers(1, 40),
    linger_seconds=st.sampled_from([0, 0.1, 2]),
    most_under_way=st.integers(1, 3),
    buffer_messages=st.integers(1, 20),
    buffer_bytes=st.integers(12, 100),
    delivery_seconds=st.sampled_from([1, 10, 1000]),
)


@dataclass
class World:
    """A producer, the model of Relay, and the time between them."""

    box: Outbox[int]
    dedups: bool = True
    now: float = 0.0
    sent: list[Outgoing[int]] = field(default_factory=list)
    bad: set[int] = field(default_factory=set)
    under_way: list[Batch[int]] = field(default_factory=list)
    stored: list[Outgoing[int]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    told: dict[int, Receipt | Undelivered] = field(default_factory=dict)

    def do(self, action: tuple[object, ...]) -> None:
        kind, *arguments = action
        if kind in {"add", "add bad"}:
            self.add(*arguments, is_bad=kind == "add bad")  # type: ignore[misc]
        elif kind == "wait":
            self.now += float(str(arguments[0]))
        elif kind == "hurry":
            self.box.hurry()
        elif self.under_way:
            self.answer(*arguments)  # type: ignore[misc]
        self.step()

    def add(self, channel: str, size: int, *, is_bad: bool) -> None:
        number = len(self.sent)
        line = bytes(size)
        assert self.box.can_hold(line)
        if not self.box.has_room(line):
            return
        message = Outgoing(channel, f"key {number}", line, number)
        if is_bad:
            self.bad.add(number)
        self.sent.append(message)
        self.box.add(message, self.now)

    def step(self) -> None:
        while True:
            batch, settled = self.box.step(self.now)
            self.tell(settled)
            if batch is not None:
                self.check(batch)
                self.under_way.append(batch)
            elif not settled:
                break
        at = self.box.look_at()
        assert at is None or at > self.now
        if self.box.messages and not self.under_way:
            assert at is not None, "something waits, and nobody will look at it"

    def check(self, batch: Batch[int]) -> None:
        limits = self.box.limits
        assert 1 <= len(batch.messages) <= limits.batch_messages
        assert len(batch.body) <= limits.batch_bytes or len(batch.messages) == 1
        assert batch.channel not in {other.channel for other in self.under_way}
        assert len(self.under_way) < limits.most_under_way
        assert not {message.handle for message in batch.messages} & self.told.keys(), (
            "sent after it was settled"
        )

    def answer(self, which: int, fault: str, chance: float) -> None:
        batch = self.under_way.pop(which % len(self.under_way))
        self.tell(self.box.answered(batch, self.outcome(batch, fault), self.now, chance))

    def outcome(self, batch: Batch[int], fault: str) -> Outcome:
        if fault in NOT_APPLIED:
            return NOT_APPLIED[fault]
        for index, message in enumerate(batch.messages):
            if message.handle in self.bad:
                return Refused(ERROR, index)
        for message in batch.messages:
            if message.idempotency_key not in self.keys or not self.dedups:
                self.keys.add(message.idempotency_key)
                self.stored.append(message)
        if fault == "answer lost":
            return Again(ERROR, may_be_stored=True)
        return Accepted([Receipt(batch.channel, "id", one.idempotency_key) for one in batch.messages])

    def tell(self, settled: list[Settled[int]]) -> None:
        for one in settled:
            assert one.message.handle not in self.told, "settled twice"
            self.told[one.message.handle] = one.result

    def drain(self) -> None:
        """From here on all goes well."""
        self.step()
        for _ in range(10_000):
            if not self.box.messages:
                return
            if self.under_way:
                self.answer(0, "none", 0.0)
            else:
                at = self.box.look_at()
                assert at is not None
                self.now = max(at, self.now)
            self.step()
        raise AssertionError("it never ends")

    def verify(self) -> None:
        assert self.told.keys() == {message.handle for message in self.sent}, "lost"
        numbers = [message.handle for message in self.stored]
        assert len(numbers) == len(set(numbers)), "doubled"
        for number, result in self.told.items():
            if isinstance(result, Receipt):
                assert number in numbers, "a receipt for what is not stored"
                assert result.idempotency_key == f"key {number}"
            else:
                assert result.may_be_stored or number not in numbers, "stored, and said not to be"
        for channel in "xyz":
            ours = [message.handle for message in self.stored if message.channel == channel]
            assert ours == sorted(ours), "out of order"
        assert (self.box.messages, self.box.bytes, self.box.look_at()) == (0, 0, None)


@settings(max_examples=400, deadline=None)
@given(limits, st.lists(actions, max_size=80))
def test_each_message_is_settled_once_and_what_is_said_of_it_is_true(
    limits: Limits, doings: list[tuple[object, ...]]
) -> None:
    world = World(Outbox(limits))
    for action in doings:
        world.do(action)
        assert world.box.messages <= limits.buffer_messages
        assert world.box.bytes <= limits.buffer_bytes
    world.drain()
    world.verify()


@settings(max_examples=200, deadline=None)
@given(limits, st.lists(actions, max_size=80))
def test_giving_up_tells_everybody_the_truth_too(limits: Limits, doings: list[tuple[object, ...]]) -> None:
    world = World(Outbox(limits))
    for action in doings:
        world.do(action)
    world.tell(world.box.give_up(ERROR))
    while world.under_way:  # What was on its way arrives nevertheless.
        world.answer(0, "none", 0.0)
    world.verify()


def test_without_keys_the_lost_answer_doubles() -> None:
    """The control: the model does see what the keys prevent."""
    doings = [("add", "x", 1), ("wait", 3.0), ("answer", 0, "answer lost", 0.0)]
    doubled = World(Outbox(Limits()), dedups=False)
    for action in doings:
        doubled.do(action)
    doubled.drain()
    assert [message.handle for message in doubled.stored] == [0, 0]
