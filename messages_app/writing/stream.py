"""One partition's stream, as its writer sees it."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, cast

import redis

from messages_app import beside
from messages_app.writing import scripts
from messages_app.writing.announcing import Announcer
from messages_app.writing.tallies import COMPLETE_COUNTS, RESET_COUNTS, STATE, WHOLE, Counts, sums, tally
from relaybase import keys
from relaycore.envelope import F_MESSAGES, F_UPTO
from relaycore.storing.keeping import Beginning
from relaycore.storing.known import Beside, numbers

log = logging.getLogger(__name__)

_PAGE: Final = 500


class GroupLost(Exception):
    """The consumer group is gone, and with it the knowledge of what is pending."""


class Fenced(Exception):
    """Another writer has begun, or a store has gone back: nothing that is in flight may be acknowledged."""


@dataclass(frozen=True)
class Entry:
    """An entry of the stream: `1732190000000-0` and its fields. `deliveries` counts this one."""

    id: str
    fields: Mapping[bytes, bytes]
    deliveries: int = 1

    @cached_property
    def numbers(self) -> tuple[int, int] | None:
        """The running number of its last message, and how many it has; None if it does not say."""
        return numbers(self.fields.get(F_UPTO, b""), self.fields.get(F_MESSAGES, b""))


class Stream:
    """Reads, acknowledges and trims. Every method may raise `redis.RedisError`.

    `Fenced` is raised by what must not be done by a writer of an earlier term, or after MongoDB has gone
    back: `claim` again first. Without an `announcer` nobody is told of what is stored.
    """

    def __init__(self, client: redis.Redis, partition: int, announcer: Announcer | None = None) -> None:
        self._redis = client
        self._announcer = announcer
        self._untold = ""
        self._partition = partition
        self._appended_key = keys.appended(partition)
        self._key = keys.stream(partition)
        self._suspect_key = keys.suspect(partition)
        self._tallies_key = keys.tallies(partition)
        self._stored_key = keys.stored(partition)
        self._expired_key = keys.expired(partition)
        self._last_at_key = keys.last_at(partition)
        self._rates_key = keys.rates(partition)
        self._epoch = 0
        self._redeliveries = "0"

    def prepare(self) -> None:
        """Make the consumer group if it is missing, from the very beginning of the stream."""
        try:
            self._redis.eval(scripts.PREPARE, 1, self._key, keys.GROUP)
            log.info("%s: made the consumer group %s", self._key, keys.GROUP)
        except redis.ResponseError as exc:
            if "BUSYGROUP" not in str(exc):
                raise

    def claim(self, epoch: int) -> int | None:
        """Begin, or begin again: how many messages MongoDB has acknowledged, as Redis knows it.

        From now on no writer of an earlier term brings Redis down to what it knows. None: this one is over.
        """
        answer = cast(list[Any] | None, self._redis.eval(scripts.CLAIM, 1, self._appended_key, epoch))
        if answer is None:
            return None
        self._epoch, self._redeliveries = epoch, answer[1].decode()
        return int(answer[0])

    def look(self) -> Beside:
        """What Redis says of the partition now."""
        return beside.look(self._redis, self._partition)

    def begin(self, beginning: Beginning) -> int:
        """Bring Redis to what is known; how many entries were appended anew.

        Raises:
            Fenced: another writer has claimed since, or Redis has lost the claim.
        """
        stored, stored_id = beginning.stored, beginning.stored_id
        mine = (self._key, self._appended_key, self._stored_key)
        if (after := beginning.redeliver_after) is not None:
            known = (keys.GROUP, self._epoch, after, stored, stored_id)
            answer = self._redis.eval(scripts.DELIVER_AGAIN, len(mine), *mine, *known)
            self._redeliveries = str(_unless_fenced(answer))
        self.say(stored, stored_id)
        if beginning.raise_to:
            above = (keys.GROUP, self._epoch, beginning.raise_to)
            return int(_unless_fenced(self._redis.eval(scripts.RAISE, len(mine), *mine, *above)))
        if beginning.makes_group:
            self.prepare()
        return 0

    def say(self, stored: int, stored_id: str) -> None:
        """Up to this number everything is stored or on record, and ends with the entry of this id.

        Raises:
            Fenced: MongoDB has gone back since `claim`.
        """
        said = (self._redeliveries, stored, stored_id)
        told = ("", b"")
        if self._announcer is not None:
            told = self._announcer.channel, self._announcer.moved(stored_id)
        self._note(_unless_fenced(self._redis.eval(scripts.SAY, 1, self._appended_key, *said, *told)))

    def kept(self, upto: int) -> None:
        """MongoDB has acknowledged this number. If it has gone back since `claim`, nobody is told."""
        self._redis.eval(scripts.KEPT, 1, self._appended_key, self._redeliveries, upto)

    def read(self, count: int, block_ms: int | None) -> list[Entry]:
        """The next entries that no writer has seen; waits `block_ms` for the first one.

        Raises:
            GroupLost: `prepare` makes it anew.
        """
        try:
            return [Entry(id, fields) for id, fields in self._read(">", count, block_ms)]
        except redis.ResponseError as exc:
            if not str(exc).startswith("NOGROUP"):
                raise
            raise GroupLost from exc

    def read_pending(self) -> Entry | None:
        """The oldest entry that was delivered and not acknowledged, delivered once more."""
        while True:
            pending = self._redis.xpending_range(
                self._key, keys.GROUP, min="-", max="+", count=1, consumername=keys.CONSUMER
            )
            delivered = self._read("0", 1, None)
            if not delivered:
                return None
            id, fields = delivered[0]
            if fields:
                return Entry(id, fields, int(pending[0]["times_delivered"]) + 1 if pending else 1)
            # Its entry is gone from the stream (deleted by hand): there is nothing left to store.
            log.error("%s: entry %s was deleted before it was stored", self._key, id)
            self._redis.xack(self._key, keys.GROUP, id)

    def claim_foreign(self, idle_seconds: float) -> int:
        """Take over what other consumers of the group left pending; how many entries."""
        claimed, start = 0, "-"
        idle = int(idle_seconds * 1000)
        while True:
            page = cast(
                list[dict[str, Any]],
                self._redis.xpending_range(self._key, keys.GROUP, start, "+", _PAGE, idle=idle),
            )
            ids = [row["message_id"] for row in page if row["consumer"] != keys.CONSUMER.encode()]
            if ids:
                # Only the ids, so that taking them over does not count as a delivery.
                claimed += len(
                    self._redis.xclaim(self._key, keys.GROUP, keys.CONSUMER, idle, ids, justid=True)
                )
            if len(page) < _PAGE:
                return claimed
            start = "(" + page[-1]["message_id"].decode()

    def acknowledge(
        self, stored: Sequence[tuple[str, Counts]], upto: int = 0, operation_time: str = ""
    ) -> int:
        """These entries are durable; how many messages were counted.

        stored: for each entry its id, and how many messages of each channel it brought; 0 for a
                channel of which it brought only what was stored before
        upto:   the running number up to which everything is stored or on record with them; 0: none says
        operation_time: MongoDB's, by which it had them: who reads later must not be shown an older state

        The messages of an entry are counted by whoever acknowledges it: a writer that slept
        through its term and was followed by another one counts nothing twice. So an entry leaves
        a tally in the step that acknowledges it, and `add_up` brings many of them to the counts at once:
        with thousands of channels, counting in each step takes Redis more time than all the rest.

        Raises:
            Fenced: MongoDB has gone back since `claim`, and may not have them any more.
        """
        entries: list[Any] = []
        channels: set[bytes] = set()
        for id, counts in stored:
            if new := sum(counts.values()):
                # Perhaps with one of which it brought duplicates: to find that out costs more than a look.
                channels.update(counts)
            entries += (id, new, tally(id, counts))
        last, told = stored[-1][0], ("", b"")
        if self._announcer is not None:
            told = self._announcer.channel, self._announcer.stored(last, channels)
        beside = (self._key, self._tallies_key, self._appended_key)
        said = (keys.GROUP, self._redeliveries, upto, last, *told, operation_time)
        counted, untold = _unless_fenced(
            self._redis.eval(scripts.ACKNOWLEDGE, len(beside), *beside, *said, *entries)
        )
        self._note(untold)
        return int(counted)

    def add_up(self) -> None:
        """Bring every tally to the counts. It may be done by two at once, and end at any moment."""
        while tallies := cast(list[bytes], self._redis.lrange(self._tallies_key, 0, _PAGE - 1)):
            self._redis.eval(
                scripts.ADD_UP,
                4,
                self._tallies_key,
                self._stored_key,
                self._last_at_key,
                self._rates_key,
                len(tallies),
                tallies[-1],
                sums(tallies),
            )

    def trim(self, keep_seconds: float) -> int:
        """Cut off what is acknowledged and old enough; how many entries."""
        return int(
            cast(int, self._redis.eval(scripts.TRIM, 1, self._key, keys.GROUP, str(int(keep_seconds * 1000))))
        )

    def suspect(self) -> str:
        """The position of the message that is being tried by itself; empty if there is none."""
        return cast(bytes, self._redis.get(self._suspect_key) or b"").decode()

    def note_suspect(self, position: str) -> None:
        """Note a position before its message is tried by itself; empty when all is well."""
        self._redis.eval(scripts.NOTE, 1, self._suspect_key, position)

    def has_counts(self) -> bool:
        """Whether the counts of stored messages are there, and whole."""
        return self._redis.hget(self._stored_key, STATE) == WHOLE

    def reset_counts(self, token: str) -> None:
        """Count from nothing: what `acknowledge` has counted is not the whole."""
        self._redis.eval(RESET_COUNTS, 2, self._stored_key, self._expired_key, token)

    def complete_counts(self, token: str, counted: Mapping[bytes, tuple[int, int]]) -> bool:
        """Add what was stored before the reset with this token; False if there was another one since.

        counted: by channel, how many are stored, and how many had expired without being among them
        """
        arguments: list[Any] = [part for name, numbers in counted.items() for part in (name, *numbers)]
        named = (self._stored_key, self._expired_key)
        return bool(self._redis.eval(COMPLETE_COUNTS, len(named), *named, token, *arguments))

    def _note(self, untold: bytes) -> None:
        """Why Redis does not let followers be told, said once: they look once a second, and all goes on."""
        if (why := untold.decode(errors="replace")) != self._untold:
            self._untold = why
            if why:
                log.error("%s: followers are not told of what is stored: %s", self._key, why)

    def _read(self, start: str, count: int, block_ms: int | None) -> list[tuple[str, Mapping[bytes, bytes]]]:
        answer = self._redis.xreadgroup(
            keys.GROUP, keys.CONSUMER, {self._key: start}, count=count, block=block_ms
        )
        return [
            (id.decode(), fields or {}) for _, entries in cast(Any, answer or []) for id, fields in entries
        ]


def last_epoch(client: redis.Redis, partition: int) -> int:
    """Of the writer that has claimed last; 0 if Redis knows of none. May raise `redis.RedisError`."""
    return int(cast(bytes | None, client.hget(keys.appended(partition), "epoch")) or 0)


def _unless_fenced(answer: Any) -> Any:
    if answer is None:
        raise Fenced("another writer has begun, or a store has gone back.")
    return answer
