"""FOLLOW: the one reader of a process that learns what is newly stored, and hands it on.

Purpose
    Whoever hands messages out as they come subscribes here, with a channel and a place in it. Each message is
    read from MongoDB once, however many subscribers of this process are at the tail; who is behind reads on
    its own.

Deliberately absent
    Decisions: who reads what, when and how far is `relaycore.following.reader`. Queues: a subscriber that
    takes nothing is handed `ROOM` pages, and is behind from then on. Names, and cursors that outlive a
    process: whoever subscribes keeps the place of what it has taken.

Who does what
    ::

        writer ──PUBLISH news──► Redis ──► `ear`     ┐ a thread for each partition that is followed:
                                 Redis ◄── `look`    │ hears, looks, reads, hands out
                               MongoDB ◄── `find`    ┘
        subscribers, in threads of their own:  `Feed.take`

Failure
    Without a watermark or an answer of MongoDB nothing is handed out: each subscriber that takes gets the
    error, and may take again. Its place stays, and nothing is stepped over. The reader looks again after a
    second; what it hands out then first may be a page without messages.

Concurrency
    `Following` and the subscribers are guarded by the lock of their reader. No server is asked under it.
"""

import contextlib
import logging
import selectors
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Self

from django.conf import settings

from leases_app import deployment, partitioning
from messages_app.searching import archive
from messages_app.searching.ear import Ear
from messages_app.searching.feed import Feed, Told
from relaybase import logs
from relaycore.channels import partition_of
from relaycore.errors import UnfitServer
from relaycore.following.places import Cursor
from relaycore.following.reader import LOOK_SECONDS, Following
from relaycore.layout import Layout

log = logging.getLogger(__name__)

_PARTING_SECONDS: Final = 2.0

_DEAF_SECONDS: Final = 10.0
"""So long Redis may take to come again, or a connection to be found dead."""


class Follower:
    """The readers of one process, one for each partition that is followed. Safe in threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers: dict[int, Reader] = {}

    def follow(self, channel: str, after: str, told: Told | None = None) -> Feed:
        """Subscribe to a channel: what stands above this position. As `follow_all`.

        told: whoever takes without waiting is told by this that there is something
        """
        return self._open(partition_of(channel, settings.RELAY_PARTITIONS), channel, after, told)

    def join(self, channel: str, after: str, told: Told | None = None) -> Feed | None:
        """As `follow`, if somebody follows this partition already: no server is asked. None: nobody does."""
        # Without the lock: whoever has it may be asking PostgreSQL.
        reader = self._readers.get(partition_of(channel, settings.RELAY_PARTITIONS))
        return None if reader is None else reader.join(channel, after, told)

    def follow_all(self, partition: int, after: str) -> Feed:
        """Subscribe to every channel of a partition. Which there are is asked with each read.

        Raises:
            Disconnected: Redis does not answer.
            UnfitServer: the partitions, the secret or the Redis database are not this deployment's.
            django.db.Error: PostgreSQL does not answer.
        """
        return self._open(partition, None, after)

    def trouble(self, now: float) -> str:
        """Why what is new is seen late, for longer than a new connection takes; empty: nothing is wrong.

        now: monotonic
        """
        # Without the lock: whoever has it may be asking PostgreSQL.
        return next((why for reader in list(self._readers.values()) if (why := reader.trouble(now))), "")

    def close(self) -> None:
        """End all readers. What is subscribed is handed nothing any more."""
        with self._lock:
            readers, self._readers = list(self._readers.values()), {}
        for reader in readers:
            reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _open(self, partition: int, channel: str | None, after: str, told: Told | None = None) -> Feed:
        deployment.require()
        with self._lock:
            reader = self._readers.get(partition)
            if reader is not None and (joined := reader.join(channel, after, told)) is not None:
                return joined
            ear = Ear(deployment.news_channel(partition), deployment.seal_key(partition))
            self._readers[partition] = reader = Reader(partition, partitioning.layout(), ear)
            return reader.start(channel, after, told)


class Reader:
    """Reads one partition for its subscribers, in a thread of its own, until the last one has left."""

    def __init__(self, partition: int, layout: Layout, ear: Ear) -> None:
        self._partition = partition
        self._layout = layout
        self._ear = ear
        self._lock = threading.Lock()
        self._following = Following()
        self._feeds: dict[Cursor, Feed] = {}
        self._is_closed = self._is_unfit = False
        self._is_reading = True
        self._woken, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        self._thread = logs.thread(self._run, f"follow partition {partition}")

    # --- for subscribers -----------------------------------------------------------------

    def start(self, channel: str | None, after: str, told: Told | None = None) -> Feed:
        """Begin to read, for this one."""
        first = self._add(channel, after, told)
        self._thread.start()
        return first

    def join(self, channel: str | None, after: str, told: Told | None = None) -> Feed | None:
        """One more; None if the last one has left, or this reader is of no use any more."""
        with self._lock:
            is_over = self._is_closed or self._is_unfit
            joined = None if is_over else self._add(channel, after, told)
        self._wake()
        return joined

    def leave(self, cursor: Cursor) -> None:
        """This one wants nothing any more."""
        with self._lock:
            if self._feeds.pop(cursor, None) is not None:
                self._following.leave(cursor)
            self._is_closed = self._is_closed or not self._feeds
        self._wake()

    def make_room(self, cursor: Cursor) -> None:
        """It has taken a page."""
        with self._lock:
            cursor.room += 1
            is_due = not self._following.due_in(time.monotonic())
        if is_due:
            self._wake()

    def ask(self, cursor: Cursor) -> int:
        """It wants to know what is stored by now."""
        with self._lock:
            turn = self._following.ask(cursor)
        self._wake()
        return turn

    def handed(self, feeds: Sequence[Feed]) -> list[tuple[str, int]]:
        """Of each, all at one instant: below this nothing comes, but so much is there to be taken."""
        with self._lock:
            return [(self._following.below(feed.cursor), feed.waiting) for feed in feeds]

    def trouble(self, now: float) -> str:
        """Why nothing is heard, for longer than a new connection takes; empty: it is, or nobody listens."""
        is_deaf = not self._is_closed and self._ear.deaf_seconds(now) > _DEAF_SECONDS
        return f"new messages are seen a second late: {self._ear.trouble}" if is_deaf else ""

    def close(self) -> None:
        """End."""
        with self._lock:
            self._is_closed = True
        self._wake()
        self._thread.join(_PARTING_SECONDS)

    def _add(self, channel: str | None, after: str, told: Told | None) -> Feed:
        cursor = self._following.follow(channel, after)
        self._feeds[cursor] = added = Feed(self, cursor, told)
        return added

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # Full: it is woken already. Or it has come to its end.
            self._waker.send(b"\0")

    # --- the thread ----------------------------------------------------------------------

    def _run(self) -> None:
        with logs.about(partition=self._partition), self._woken, self._waker, contextlib.closing(self._ear):
            while not self._is_closed:
                try:
                    self._ear.turn(time.monotonic())
                    self._wait()
                    self._hear(time.monotonic())
                except Exception as exc:  # Whatever it is (no file left to open): it is looked each second.
                    self._ear.fail(f"{type(exc).__name__}: {exc}", time.monotonic())
                    time.sleep(LOOK_SECONDS)
                if not self._due_in():
                    self._turn()

    def _due_in(self) -> float:
        with self._lock:
            return self._following.due_in(time.monotonic())

    def _wait(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._woken, selectors.EVENT_READ)
            if self._ear.wire is not None:
                selector.register(self._ear.wire, selectors.EVENT_READ)
            ready = selector.select(min(self._due_in(), LOOK_SECONDS))
        if any(key.fileobj is self._woken for key, _ in ready):
            self._woken.recv(4096)

    def _hear(self, now: float) -> None:
        heard = self._ear.hear(now)
        with self._lock:
            for news in heard:
                self._following.hear(news)
            if self._ear.has_begun:
                self._ear.has_begun = False
                self._following.look_soon()

    def _turn(self) -> None:
        """Look, read, hand out."""
        with self._lock:
            self._following.begin(time.monotonic())
        try:
            horizon = archive.look(self._partition, self._layout)
            with self._lock:
                reads = self._following.plan(horizon)
            for read in reads:
                found = archive.find(read, self._partition, horizon.operation_time)
                with self._lock:
                    for cursor, page in self._following.took(read, found.messages, is_more=found.is_more):
                        self._feeds[cursor].put(replace(page, read_at=found.read_at))
            self._is_reading = True
        except Exception as exc:  # Whatever it is, it is the subscribers' to know: else they wait for ever.
            if self._is_reading:
                log.info("not read: %s: %s", type(exc).__name__, exc)
            self._is_reading = False
            with self._lock:
                self._is_unfit = isinstance(exc, UnfitServer)
                self._following.failed(time.monotonic())
                for feed in self._feeds.values():
                    feed.fail(exc)
