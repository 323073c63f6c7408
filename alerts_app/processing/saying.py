"""What rules say, appended to the stream of a partition, until it is known to be stored."""

import logging
import time
import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, cast

import redis

from alerts_app.processing.course import Course
from alerts_app.processing.fence import Fence
from messages_app import expired
from messages_app.searching import arriving
from messages_app.searching.history import collection
from relaybase.connections import shared_redis
from relaybase.meters import Meters
from relaybase.redis import fencing
from relaybase.redis.appending import Numbers
from relaycore import envelope
from relaycore.alerting.causes import at_of, is_timer
from relaycore.alerting.items import Made
from relaycore.errors import BadMessage, Disconnected, NotTaken, UnfitServer, one_line
from relaycore.following.places import Horizon
from relaycore.layout import Layout
from relaycore.position import milliseconds_of, next_position
from relaycore.publishing import producers
from relaycore.publishing.queue import ENTRY_BYTES, ENTRY_MESSAGES
from relaycore.storing.expiring import NOTHING

log = logging.getLogger(__name__)

_JSON: Final = "application/json"
_LATE: Final = "rule_timer_late_seconds"
_COUNTED_SECONDS: Final = 1.0


class Said(NamedTuple):
    """One output, and whose it is."""

    course: Course
    made: Made


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands as one entry; everything of it is settled once the watermark is at or above `below`."""

    below: str
    said: Sequence[Said]


@dataclass(frozen=True, slots=True)
class Settled:
    """What was found of some entries: outputs that are stored, and those that are nowhere."""

    stored: Sequence[Said]
    lost: Sequence[Said]


class Saying:
    """To one partition, for the thread of the processor, but for `look_up`."""

    def __init__(self, partition: int, layout: Layout, fence: Fence) -> None:
        self.partition = partition
        self._layout = layout
        self._fence = fence
        self._numbers = Numbers()
        self._name = uuid.uuid4().hex[:8]
        self._entries = 0
        self._standing: deque[Entry] = deque()
        self._meters = Meters(shared_redis(), partition)
        self._counted_at = 0.0

    @property
    def waiting(self) -> int:
        """So many outputs stand of which it is not known that they are stored."""
        return sum(len(entry.said) for entry in self._standing)

    def append(self, said: Sequence[Said]) -> None:
        """Append these, in order. If that is cut short all of them are to be appended again: `Course.lost`.

        Raises:
            LeaseLost: a later term has begun.
            UnfitServer: everything is divided otherwise by now.
            Disconnected, NotTaken, PyMongoError: a server does not answer, or Redis takes nothing.
        """
        for part, documents in _entries(said, time.time_ns() // 1_000_000):
            id = self._append(part, documents)
            self._standing.append(Entry(next_position(id), part))
            self._see_how_late(part, milliseconds_of(id))

    def count(self) -> None:
        """Have it be seen, once a second at most, how late timers were.

        Raises:
            redis.RedisError: Redis does not answer.
        """
        if time.monotonic() - self._counted_at > _COUNTED_SECONDS:
            self._counted_at = time.monotonic()
            self._meters.flush()

    def settled(self, horizon: Horizon) -> list[Entry]:
        """The entries that the watermark has passed. They are no longer waited for here."""
        found = []
        while self._standing and self._standing[0].below <= horizon.below:
            found.append(self._standing.popleft())
        return found

    def again(self, entries: Sequence[Entry]) -> None:
        """It is not known what became of these."""
        self._standing.extendleft(reversed(entries))

    # --- inside --------------------------------------------------------------------------

    def _append(self, said: Sequence[Said], documents: Sequence[bytes]) -> str:
        self._entries += 1
        fields = (
            *(envelope.F_MESSAGES, len(documents)),
            *(envelope.F_SOURCE, f"rule.{self._name}.{self._entries}"),
            *(envelope.F_BSON, b"".join(documents)),
        )
        command = fencing.append_command(
            self.partition,
            len(documents),
            fields,
            layout=str(self._layout),
            shard=self._fence.shard,
            term=self._fence.term,
            least=max(at_of(one.made.cause) for one in said),
            known=self._numbers.upto,
        )
        for is_last in (False, True):
            try:
                id, upto = cast(Any, shared_redis()).execute_command(*command)
                break
            except redis.ResponseError as exc:
                if fencing.REFUSED not in str(exc) or is_last:
                    raise _meaning(exc) from exc
                self._fence.put_up(self.partition)
            except redis.RedisError as exc:
                raise Disconnected(f"Redis does not answer: {one_line(exc)}") from exc
        self._numbers.learn(int(upto))
        return cast(bytes, id).decode()

    def _see_how_late(self, said: Sequence[Said], appended: int) -> None:
        """By the clock of Redis, which has given the id."""
        for one in said:
            if is_timer(one.made.cause):
                self._meters.observe(_LATE, max(0, appended - at_of(one.made.cause)) / 1000)


def look_up(entries: Sequence[Entry], horizon: Horizon) -> Settled:
    """What became of the outputs of entries that the watermark has passed. It asks MongoDB: not in the loop.

    What retention has deleted already was stored.

    Raises:
        Disconnected, PyMongoError: MongoDB cannot answer.
    """
    said = [one for entry in entries for one in entry.said]
    known = arriving.known_now([one.made.id for one in said], horizon)
    stored = [one for one in said if one.made.id in known]
    missing = {one.made.id for one in said} - known
    if missing:
        records = expired.read_all(collection().database[expired.COLLECTION])
        for entry in entries:
            for one in entry.said:
                record = records.get(one.course.rule.to, NOTHING)
                if one.made.id in missing and entry.below <= record.upto:
                    stored.append(one)
                    missing.discard(one.made.id)
    return Settled(stored, [one for one in said if one.made.id in missing])


def _entries(said: Sequence[Said], now_ms: int) -> Iterator[tuple[list[Said], list[bytes]]]:
    """In parts that make an entry each."""
    part: list[Said] = []
    documents: list[bytes] = []
    size, received_at = 0, envelope.timestamp(now_ms)
    encoders: dict[str, envelope.Encoder] = {}
    for one in said:
        rule = one.course.rule
        encoder = encoders.setdefault(rule.to, envelope.Encoder(rule.to.encode()))
        try:
            document = encoder.encode_published(
                one.made.id,
                one.made.output.message.encode(),
                received_at,
                attributes=one.made.attributes,
                content_type=_JSON,
                produced_by=producers.rule(rule.name),
            )
        except BadMessage as exc:  # It will never be one: the rule goes on without it.
            log.error("rule %s: something that it says is no message, and is let go: %s", rule.name, exc)
            one.course.let_go(one.made.id)
            continue
        if documents and (size + len(document) > ENTRY_BYTES or len(documents) == ENTRY_MESSAGES):
            yield part, documents
            part, documents, size = [], [], 0
        part.append(one)
        documents.append(document)
        size += len(document)
    if documents:
        yield part, documents


def _meaning(exc: redis.ResponseError) -> Exception:
    if "LAYOUT " in str(exc):
        return UnfitServer("Everything is divided otherwise by now.")
    return NotTaken(f"Redis does not take what rules say: {one_line(exc)}")
