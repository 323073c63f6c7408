"""The world around a writer: entries on the stream, faults in MongoDB, and what was kept of it all."""

import contextlib
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pymongo
from bson import ObjectId
from django.conf import settings

from leases_app.leasing import Term
from leases_app.models import Lease
from messages_app.writing.writer import Writer
from relaybase import keys
from relaycore import envelope
from relaycore.identity import content_key
from relaycore.position import entry_prefix
from tests.loops import Loop

Text = str | bytes

PAST_TIMEOUT_SECONDS = 0.4
"""An insert that is held up for longer than this is not waited for by `impatient` clients."""


def document(text: Text, channel: str = "orders", now_ms: int | None = None) -> bytes:
    """A message as the listener writes it under the policy `content`."""
    payload = text.encode() if isinstance(text, str) else text
    at = envelope.timestamp(time.time_ns() // 1_000_000 if now_ms is None else now_ms)
    return envelope.Encoder(channel.encode()).encode(content_key(channel.encode())(payload), payload, at)


def fields_of(documents: Sequence[bytes], source: str = "1.1") -> dict[Any, Any]:
    """The fields of an entry in the documented format."""
    return {
        envelope.F_MESSAGES: len(documents),
        envelope.F_SOURCE: source,
        envelope.F_BSON: b"".join(documents),
    }


class World:
    """Redis and MongoDB as a test sees them, and what was put in."""

    def __init__(self, redis: Any, messages: Any, quarantine: Any) -> None:
        self.redis = redis
        self.messages = messages
        self.quarantine = quarantine
        self.stream = keys.stream(0)
        self.appended: list[tuple[str, Text]] = []

    # --- the stream ------------------------------------------------------------------

    def append(self, *texts: Text, channel: str = "orders", source: str = "1.1") -> str:
        """One entry with these messages; its id."""
        self.appended += [(channel, text) for text in texts]
        return self.append_raw(fields_of([document(text, channel) for text in texts], source))

    def append_each(self, texts: Sequence[Text], channel: str = "orders") -> list[str]:
        """One entry for each message, all at one instant; their ids."""
        self.appended += [(channel, text) for text in texts]
        with self.redis.pipeline(transaction=True) as pipe:
            for text in texts:
                pipe.xadd(self.stream, fields_of([document(text, channel)]))
            return [id.decode() for id in pipe.execute()]

    def append_raw(self, fields: Mapping[Any, Any]) -> str:
        """An entry with any fields whatever; its id."""
        return self.redis.xadd(self.stream, dict(fields)).decode()

    def deliver(self, count: int, times: int = 1, consumer: str = keys.CONSUMER) -> None:
        """As if a writer had read `count` entries, `times` times, and then died."""
        with contextlib.suppress(Exception):
            self.redis.xgroup_create(self.stream, keys.GROUP, id="0", mkstream=True)
        self.redis.xreadgroup(keys.GROUP, consumer, {self.stream: ">"}, count=count)
        for _ in range(times - 1):
            self.redis.xreadgroup(keys.GROUP, consumer, {self.stream: "0"}, count=count)

    def pending(self) -> int:
        """How many entries were delivered and not acknowledged."""
        return int(self.redis.xpending(self.stream, keys.GROUP)["pending"]) if self._group() else 0

    def is_settled(self) -> bool:
        """Whether everything on the stream was delivered and acknowledged."""
        group = self._group()
        if group is None:
            return False
        last = self.redis.xinfo_stream(self.stream)["last-generated-id"]
        return group["pending"] == 0 and group["last-delivered-id"] == last

    def _group(self) -> dict[str, Any] | None:
        if not self.redis.exists(self.stream):
            return None
        groups = [group for group in self.redis.xinfo_groups(self.stream) if group["name"] == b"writers"]
        return groups[0] if groups else None

    # --- what was kept ---------------------------------------------------------------

    def stored(self, channel: str = "orders") -> list[Text]:
        """The messages of a channel, in the order of their positions."""
        return [row["message"] for row in self.messages.find({"channel": channel}).sort("position")]

    def counts(self) -> dict[str, int]:
        """Messages stored by channel, as the writers counted them; channels with none left out."""
        counted = self.redis.hgetall(keys.stored(0))
        return {name.decode(): int(count) for name, count in counted.items() if name and int(count)}

    def counts_are_whole(self) -> bool:
        """Whether nothing is still being counted anew."""
        return bool(self.redis.hget(keys.stored(0), "") == b"whole")

    def position(self, text: Text, channel: str = "orders") -> str:
        """Where the one stored copy of this message stands."""
        (row,) = self.messages.find({"channel": channel, "message": text})
        return str(row["position"])

    def assert_each_stored_once(self) -> None:
        """Everything appended is stored, nothing twice, nothing else, and the counts say so."""
        wanted = set(self.appended)
        found = Counter((row["channel"], row["message"]) for row in self.messages.find())
        assert not wanted - found.keys(), "lost"
        assert not found.keys() - wanted, "stored, and never appended"
        assert set(found.values()) <= {1}, "stored twice"
        assert self.counts() == Counter(channel for channel, _ in wanted)


def position(entry_id: str, index: int = 0) -> str:
    """The documented position of a message."""
    return f"{entry_prefix(entry_id)}{index:05d}"


# --- a writer that runs ----------------------------------------------------------------

_epochs = itertools.count(1)


def term(partition: int = 0) -> Term:
    """A later one than all before it. No lease says so: that is needed only to put something on record."""
    return Term(Lease.Role.WRITER, partition, next(_epochs), "a test")


class Running(Loop):
    """A writer that may be looked at."""

    writer: Writer

    def __init__(self) -> None:
        self._made = threading.Event()
        super().__init__(self._write)
        self._made.wait(10)

    def _write(self, stopping: Callable[[], bool]) -> None:
        self.writer = Writer(term(), stopping)
        self._made.set()
        self.writer.run()


@contextlib.contextmanager
def running() -> Iterator[Running]:
    """A writer that runs in the meantime, and has not broken down at the end."""
    run = Running()
    try:
        yield run
    finally:
        run.stop()


# --- faults in MongoDB -------------------------------------------------------------------


class Failpoint:
    """mongod's `failCommand`, for inserts of messages by writers only.

    Leaving the context fails unless the fault has happened: a fault that did not happen
    proves nothing. `after`: so many inserts go well before.
    """

    def __init__(
        self, times: int | None = None, collection: str = "messages", *, after: int = 0, **data: Any
    ) -> None:
        always: Any = {"skip": after} if after else "alwaysOn"
        self._mode: Any = always if times is None else {"times": times}
        namespace = f"{settings.DATABASES['messages']['NAME']}.{collection}"
        self._data = {"failCommands": ["insert"], "namespace": namespace} | data
        self._client: pymongo.MongoClient[Any] = pymongo.MongoClient(settings.SERVERS.mongo_url)
        self._entered_before = 0

    @property
    def entered(self) -> int:
        """How often it has struck so far."""
        found = self._client.admin.command({"getParameter": 1, "failpoint.failCommand": 1})
        return int(found["failpoint.failCommand"]["timesEntered"]) - self._entered_before

    def __enter__(self) -> "Failpoint":
        self._entered_before = self.entered
        self._configure(self._mode, self._data)
        return self

    def lift(self) -> None:
        """No more faults from here on."""
        self._configure("off", {})

    def __exit__(self, kind: object, *exc_info: object) -> None:
        self.lift()
        entered = self.entered
        self._client.close()
        assert kind or entered > 0, "the fault did not happen"

    def _configure(self, mode: Any, data: Mapping[str, Any]) -> None:
        self._client.admin.command({"configureFailPoint": "failCommand", "mode": mode, "data": data})


def object_id(text: Text, channel: str = "orders") -> ObjectId:
    """The `_id` of a message under the policy `content`."""
    return ObjectId(envelope.key_of(document(text, channel)))


Wait = Callable[..., None]
