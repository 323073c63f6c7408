"""Waiting until what was appended is stored, and where it then stands.

An entry is settled once the watermark has passed it (`messages_app.searching.watermark`): what was in it is
stored, in quarantine, or lost (`relaycore.publishing.standing`). Of each partition
for which somebody waits one task of the event loop looks: when somebody new waits, when the writer tells
that something is stored as far as somebody waits for, and once a second. What it tells before that makes
nobody look, however much others bring. Servers are asked in threads, since the looks are shared by all who
wait.
PostgreSQL is asked once, and again after everything was divided otherwise.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bson import ObjectId
from django.db import Error as DatabaseError
from django.db import connection
from pymongo.client_session import ClientSession

from leases_app import deployment, partitioning
from messages_app.searching import archive
from messages_app.searching.ear import Ear
from messages_app.searching.history import collection
from messages_app.searching.primary import session_after
from relaybase.connections import one_per_loop
from relaycore.errors import Disconnected, UnfitServer, one_line
from relaycore.following.places import Horizon
from relaycore.layout import Layout
from relaycore.position import next_position
from relaycore.publishing.standing import Place, Seen
from relaycore.times import to_milliseconds

log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 1.0
_LINGER_SECONDS: Final = 10.0
"""So long the ear stays open after the last one who waited: the next one comes soon, as a rule."""


async def wait_until_stored(partition: int, entry: str, seconds: float) -> Horizon | None:
    """The look by which the entry of this id is settled; None if that is not so within these seconds."""
    watches = _watches()
    watch = watches.get(partition)
    if watch is None:
        watch = watches[partition] = _Watch(partition)
    return await watch.wait(next_position(entry), seconds)


async def find(ids: Sequence[bytes], horizon: Horizon) -> Seen:
    """As `find_now`, in an event loop."""
    return await asyncio.to_thread(find_now, ids, horizon)


def find_now(ids: Sequence[bytes], horizon: Horizon) -> Seen:
    """Where these messages are stored or which are in quarantine, by what is so since that look.

    Raises:
        Disconnected: the MongoDB that answers has fallen behind.
        pymongo.errors.PyMongoError: it cannot answer.
    """
    messages = collection()
    with session_after(messages, horizon.operation_time) as session:
        wanted = {"_id": {"$in": [ObjectId(id) for id in ids]}}
        stored = messages.find(wanted, {"position": 1, "received_at": 1}, session=session, batch_size=10_000)
        found = {
            document["_id"].binary: Place(document["position"], to_milliseconds(document["received_at"]))
            for document in stored
        }
        missing = [ObjectId(id) for id in ids if id not in found]
        return Seen(horizon.below, found, _in_quarantine(missing, session))


def known_now(ids: Sequence[bytes], horizon: Horizon) -> set[bytes]:
    """Which of these are stored or in quarantine, by what is so since that look.

    Where they stand is not asked: so MongoDB looks into its index, and into no message.

    Raises:
        Disconnected, pymongo.errors.PyMongoError: as `find_now`.
    """
    messages = collection()
    with session_after(messages, horizon.operation_time) as session:
        wanted = {"_id": {"$in": [ObjectId(id) for id in ids]}}
        stored = messages.find(wanted, {"_id": 1}, session=session, batch_size=10_000)
        known = {document["_id"].binary for document in stored}
        return known | _in_quarantine([ObjectId(id) for id in ids if id not in known], session)


def _in_quarantine(ids: Sequence[ObjectId], session: ClientSession) -> set[bytes]:
    if not ids:
        return set()
    quarantine = collection().database["quarantine"]
    kept: list[ObjectId] = quarantine.distinct("message_id", {"message_id": {"$in": ids}}, session=session)
    return {id.binary for id in kept}


@one_per_loop
def _watches() -> dict[int, "_Watch"]:
    return {}


@dataclass(frozen=True, slots=True)
class _Grounds:
    """What one has to know to look: where the news are said, what they are sealed with, and the layout."""

    channel: str
    key: bytes
    layout: Layout


def _grounds_of(partition: int) -> _Grounds:
    try:
        channel, key = deployment.news_channel(partition), deployment.seal_key(partition)
        return _Grounds(channel, key, partitioning.require())
    finally:
        connection.close()


class _Watch:
    """Of one partition, for one event loop."""

    def __init__(self, partition: int) -> None:
        self._partition = partition
        self._grounds: _Grounds | None = None
        self._waiting: dict[asyncio.Future[Horizon], str] = {}
        self._task: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self._told = ""  # The highest position that news were about.
        self._is_due = False

    async def wait(self, below: str, seconds: float) -> Horizon | None:
        """The look whose watermark is at or above this position."""
        stored: asyncio.Future[Horizon] = asyncio.get_running_loop().create_future()
        self._waiting[stored] = below
        self._is_due = True
        self._woken.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        try:
            return await asyncio.wait_for(stored, seconds)
        except TimeoutError:
            return None
        finally:
            del self._waiting[stored]

    async def _run(self) -> None:
        """Until nobody has waited for a while."""
        while (grounds := await self._learn()) is None:
            if not self._waiting:
                return
            await asyncio.sleep(_LOOK_SECONDS)
        with contextlib.closing(Ear(grounds.channel, grounds.key)) as ear:
            while self._waiting or await self._is_wanted():
                await asyncio.to_thread(ear.turn, time.monotonic())
                self._is_due = False
                await self._look()
                if self._waiting:
                    await self._listen(ear)

    async def _learn(self) -> "_Grounds | None":
        """What one has to know; None: nobody says it now."""
        if self._grounds is None:
            try:
                self._grounds = await asyncio.to_thread(_grounds_of, self._partition)
            except (DatabaseError, UnfitServer) as exc:
                log.warning("partition %d: nobody can wait for it: %s", self._partition, one_line(exc))
        return self._grounds

    async def _look(self) -> None:
        """Tell whom it concerns. A server that does not answer now may do so at the next look."""
        if (grounds := await self._learn()) is None:
            return
        try:
            self._tell(await asyncio.to_thread(archive.look, self._partition, grounds.layout))
        except UnfitServer:
            self._grounds = None  # Everything is divided otherwise by now.
        except Disconnected as exc:
            log.info("partition %d: %s", self._partition, one_line(exc))

    def _tell(self, horizon: Horizon) -> None:
        for stored, below in self._waiting.items():
            if below <= horizon.below and not stored.done():
                stored.set_result(horizon)

    async def _is_wanted(self) -> bool:
        """Whether somebody waits again, after a while."""
        self._woken.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                await self._woken.wait()
        return bool(self._waiting)

    async def _listen(self, ear: Ear) -> None:
        """Until it is worth while to look, or a second has passed."""
        ends_at = time.monotonic() + _LOOK_SECONDS
        while not self._is_due and (rest := ends_at - time.monotonic()) > 0:
            self._woken.clear()
            await self._wake(ear, rest)
            self._hear(ear)

    async def _wake(self, ear: Ear, seconds: float) -> None:
        """Wait until something is heard, or somebody else waits, but no longer than this."""
        loop, wire = asyncio.get_running_loop(), ear.wire
        if wire is not None:
            loop.add_reader(wire, self._woken.set)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._woken.wait()
        finally:
            if wire is not None:
                loop.remove_reader(wire)

    def _hear(self, ear: Ear) -> None:
        """See whether what has come is worth a look.

        Batches overtake one another. Once as much was told as somebody waits for, any further news may mean
        that the watermark has passed it.
        """
        heard = ear.hear(time.monotonic())
        self._told = max([self._told, *(next_position(news.upto) for news in heard)])
        is_reached = any(below <= self._told for stored, below in self._waiting.items() if not stored.done())
        self._is_due |= ear.has_begun or (bool(heard) and is_reached)
        ear.has_begun = False
