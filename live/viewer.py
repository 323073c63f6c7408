"""One client that watches: what it takes, when it waits, and when it has to go."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from live.pages import Pages
from live.tails import Topic
from live.wanting import Wants
from relaycore.live.ids import EventId
from relaycore.live.owed import Owed, Told
from relaycore.live.ring import Entry
from relaycore.live.walk import Read, Run

SEND_BYTES: Final = 128 << 10
"""What one send has in it, if one message is not more: all that is kept for a client which reads nothing."""

_MOST_FORMS: Final = 16
"""Of one ring or page: those who are at the same place ask one after another."""

AGAIN_SECONDS: Final = 1.0
"""What could not be read is read again after so long."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a client asks for.

    channels: their names
    who:      whose connections are counted together: `token:NUMBER`
    key:      with which it has come; it is cut once this is not valid any more, or lacks a right. None: it
              was let in by something else, which cuts it (`Viewer.leave`)
    after:    the id that it was given last, or a position from which on it wants everything; None: what
              comes from now on
    wants:    which messages; None: all
    limit:    so many, and no more; None: all
    """

    channels: tuple[str, ...]
    who: str
    key: str | None = None
    after: EventId | str | None = None
    wants: Wants | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """Messages, in order. `before` and `after` stand around the position of each in its id.

    run:      of which these are those that are wanted, as far as it was looked at
    is_whole: all of it was looked at, and is wanted
    last:     the id of the last one, and of all that was looked at with it; empty: the one with its position
    """

    entries: Sequence[Entry]
    run: Run
    is_whole: bool
    before: str
    after: str
    last: str

    @property
    def id(self) -> str:
        """That of the last one."""
        return self.last or f"{self.before}{self.entries[-1].position}{self.after}"

    def ids(self) -> Iterator[str]:
        """That of each."""
        for entry in self.entries[:-1]:
            yield f"{self.before}{entry.position}{self.after}"
        yield self.id

    def joined(self, form: str, write: Callable[["Shown"], bytes]) -> bytes:
        """These as `write` writes them in this form: once for all who are shown the same ones."""
        source = self.run.source
        if source is None or not self.is_whole:
            return write(self)
        key = (form, self.run.start, len(self.entries), self.before, self.after)
        if (found := source.forms.get(key)) is None:
            if len(source.forms) >= _MOST_FORMS:
                source.forms.clear()
            found = source.forms[key] = write(self)
        return found


class House(Protocol):
    """What a viewer is in."""

    @property
    def pages(self) -> Pages:
        """The archive."""

    def forget(self, viewer: "Viewer") -> None:
        """It watches no more."""


class Viewer:
    """One client: what it is owed, and whether it has to go. Made by `Hub.open`.

    reason: why it has to go; None: it has not
    """

    # There may be ten thousand of them.
    __slots__ = (
        *("_hub", "_not_before", "_on_cut", "_sending_since", "_waiting", "_waits_until"),
        *("is_woken", "on_wake", "owed", "reason", "topics", "wanted"),
    )

    def __init__(self, hub: House, wanted: Wanted, owed: Owed, topics: Mapping[str, Topic]) -> None:
        self.wanted = wanted
        self.owed = owed
        self.topics = topics
        self.reason: str | None = None
        self.on_wake: Callable[[], object] | None = None
        """Is called when it is woken, or has to go. For who waits for several viewers at once."""
        self._hub = hub
        self.is_woken = False
        """There may be something since it took last."""
        self._waiting: asyncio.Future[None] | None = None
        self._sending_since: float | None = None
        self._on_cut: Callable[[], object] | None = None
        self._not_before = 0.0
        self._waits_until = 0.0

    # --- for the door --------------------------------------------------------------------

    async def take(self) -> Shown | Told | None:
        """What comes next; None: nothing for now. What it takes counts as shown: its id is `owed.id`.

        Reads the archive if it must. While that does not answer there is nothing.
        """
        self.is_woken = False
        if self.owed.is_at_end:
            return None
        while self.reason is None:
            found = self.owed.next(SEND_BYTES)
            if found is None or isinstance(found, Told):
                return found
            if isinstance(found, Run):
                shown = await self._look(found)
                if shown.entries:
                    return shown
                # A filter takes nothing of a long history: others go on, and its place may be said.
                self.wake()
                await asyncio.sleep(0)
                return None
            if not await self._read(found):
                return None
        return None

    async def wait(self, seconds: float, *, is_exact: bool = False) -> None:
        """Until there may be something, or it has to go; at most so long, or a second longer."""
        now = time.monotonic()
        if now < self._not_before < now + seconds:
            seconds, is_exact = self._not_before - now, True
        if self.is_woken or self.reason is not None or seconds <= 0:
            return
        loop = asyncio.get_running_loop()
        self._waiting = waiting = loop.create_future()
        if is_exact:
            timer = loop.call_later(seconds, self._let_go)
            waiting.add_done_callback(lambda _: timer.cancel())
        else:
            # A timer for each message and client would cost a third of all.
            self._waits_until = now + seconds
        await waiting
        self._waiting = None

    def want(self, wants: Wants | None) -> None:
        """From where it stands on, other messages than before; None: all."""
        self.wanted = replace(self.wanted, wants=wants)

    def rest_seconds(self) -> float:
        """So long there is no use in asking it again, unless it is woken."""
        return max(0.0, self._not_before - time.monotonic())

    def begin_to_send(self, cut: Callable[[], object] | None = None) -> None:
        """Something is being sent. `cut` breaks the connection off if that does not end."""
        self._sending_since, self._on_cut = time.monotonic(), cut

    def end_to_send(self) -> None:
        """It is sent."""
        self._sending_since = None

    def close(self) -> None:
        """It watches no more."""
        self._hub.forget(self)

    # --- for whoever wakes it, and sends it away -----------------------------------------

    def look(self, now: float) -> None:
        """It has waited for as long as it wanted, if it is so."""
        if now >= self._waits_until:
            self._let_go()

    def wake(self) -> None:
        """There may be something for it."""
        self.is_woken = True
        self._let_go()
        if self.on_wake is not None:
            self.on_wake()

    def leave(self, reason: str) -> None:
        """It has to go, once what it is being sent is sent."""
        if self.reason is None:
            self.reason = reason
        self._let_go()
        if self.on_wake is not None:
            self.on_wake()

    def cut(self, reason: str) -> None:
        """It has to go at once, whatever it is being sent."""
        self.leave(reason)
        if self._sending_since is not None and self._on_cut is not None:
            self._on_cut()

    def sending_seconds(self, now: float) -> float:
        """How long what it is being sent has lasted; 0: it is sent nothing."""
        return 0.0 if self._sending_since is None else now - self._sending_since

    def waiting_bytes(self) -> int:
        """What the rings have for it."""
        return sum(walk.waiting() for walk in self.owed.walks)

    # --- inside --------------------------------------------------------------------------

    def _let_go(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def _look(self, run: Run) -> Shown:
        entries, wanted = run.entries, None
        if self.wanted.wants is not None:
            wanted = await self._wanted(entries)
        before, after = self.owed.around(run.walk)
        if wanted is None and self.owed.left is None:
            self.owed.took(run, len(entries), len(entries))
            return Shown(entries, run, True, before, after, "")
        wanted = wanted or [True] * len(entries)
        looked = self.owed.cut(wanted)
        shown = [entry for entry, is_wanted in zip(entries[:looked], wanted, strict=False) if is_wanted]
        self.owed.took(run, looked, len(shown))
        is_whole = len(shown) == len(entries) and self.owed.left is None
        return Shown(shown, run, is_whole, before, after, "" if is_whole else self.owed.id)

    async def _wanted(self, entries: Sequence[Entry]) -> list[bool] | None:
        """Whether it wants each of them; None: all."""
        while (wants := self.wanted.wants) is not None:
            found = await wants.of(entries, self.wanted.who)
            if wants is self.wanted.wants:  # Else it has been told meanwhile that others hold from here on.
                return found
        return None

    async def _read(self, read: Read) -> bool:
        """Whether it goes on; False: nothing is known for now."""
        if (now := time.monotonic()) < self._not_before:
            return False
        try:
            page = await self._hub.pages.find(read)
        except Exception:  # Whatever it is: nobody is stepped over, and it is tried again.
            self._not_before = now + AGAIN_SECONDS
            return False
        self.owed.read(read.walk, page)
        if not page.serves(read.after):
            # What is on the stream is not stored yet.
            self._not_before = now + AGAIN_SECONDS / 4
            return not self.owed.is_told_all
        return True
