"""Watching channels, for asyncio. `trail` decides.

A task reads the one connection that is open, a piece ahead of who iterates, and no further: what a slow
program does not take stays with Relay. `close` cancels that task.
"""

import asyncio
import contextlib
import logging
import os
import random
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from types import TracebackType
from typing import Self

from relay_client.answers import Answer
from relay_client.calls import Call
from relay_client.errors import Closed, RelayError, ours
from relay_client.rows import Message
from relay_client.streams import AsyncStreams
from relay_client.watching.rows import Happening, Told, tell
from relay_client.watching.trail import Trail

log = logging.getLogger("relay_client")


class AsyncLive:
    """What is stored of some channels, as it is stored: `client.live(…)`. One loop at a time reads it."""

    def __init__(self, trail: Trail, streams: AsyncStreams, told: Told | None) -> None:
        self._trail = trail
        self._chance = random.Random()
        self._streams = streams
        self._told = told
        self._process = os.getpid()
        self._loop = 0
        self._is_closed = False
        self._closing = asyncio.Event()
        self._pump: asyncio.Task[None] | None = None

    @property
    def id(self) -> str:
        """Where it stands: behind the last thing that was handed out. For `after`, later."""
        return self._trail.id

    async def __aiter__(self) -> AsyncIterator[Message]:
        """The messages as they come, until `close`. What is told besides goes to `told`.

        Raises:
            RelayError: something that will not pass, such as a token that holds no longer.
        """
        async with aclosing(self.events()) as happenings:
            async for happening in happenings:
                if isinstance(happening, Message):
                    yield happening
                else:
                    tell(log, self._told, happening)

    async def events(self) -> AsyncGenerator[Happening, None]:
        """The messages and all that is told, in one order. A loop that was left goes on by a new one.

        Raises:
            Closed: it is closed, or was made in another process.
            RelayError: something that will not pass.
        """
        if self._is_closed or os.getpid() != self._process:
            raise Closed("This is closed, or was made in another process.")
        self._loop += 1
        loop = self._loop
        self._cut()
        while self._goes_on(loop):
            error: RelayError | None = None
            try:
                async with aclosing(self._stream(loop)) as happenings:
                    async for happening in happenings:
                        yield happening
            except RelayError as exc:
                error = exc
            if not self._goes_on(loop):
                return
            pause, away = self._trail.broken(error, self._chance.random())
            if away is not None:
                yield away
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._closing.wait()

    async def close(self) -> None:
        """End it, and the loop that reads it. May be called again."""
        self._is_closed = True
        self._closing.set()
        self._cut()
        if self._pump is not None:
            await asyncio.wait({self._pump})
        await self._streams.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"AsyncLive({', '.join(map(repr, self._trail.channels))})"

    async def _stream(self, loop: int) -> AsyncGenerator[Happening, None]:
        inlet = _Inlet()
        self._pump = pump = asyncio.create_task(inlet.fill(self._streams, self._trail.call()))
        pump.add_done_callback(inlet.end)
        try:
            if not self._trail.begin(await inlet.answer()):
                return
            while (chunk := await inlet.take()) is not None:
                happenings = self._trail.feed(chunk)
                while self._goes_on(loop) and (happening := next(happenings, None)) is not None:
                    yield happening
                if not self._goes_on(loop):
                    return
        finally:
            pump.cancel()
            await asyncio.wait({pump})

    def _goes_on(self, loop: int) -> bool:
        return not self._is_closed and not self._trail.is_over and loop == self._loop

    def _cut(self) -> None:
        if self._pump is not None:
            self._pump.cancel()


class _Inlet:
    """What one connection brings: its answer, pieces of its body, and how it ended. One piece is held."""

    def __init__(self) -> None:
        self._pieces: asyncio.Queue[Answer | bytes | RelayError | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(1)

    async def fill(self, streams: AsyncStreams, call: Call) -> None:
        """Until the end, or until it is cancelled, which ends it too."""
        end: RelayError | None = None
        try:
            async with streams.open(call) as (answer, chunks):
                self._pieces.put_nowait(answer)
                async for chunk in chunks:
                    await self._room.acquire()
                    self._pieces.put_nowait(chunk)
        except Exception as error:  # Who takes is told of it.
            end = ours(error)
        if end is not None:
            self._pieces.put_nowait(end)

    def end(self, _: object = None) -> None:
        """Nothing more comes. A task that is cancelled before it has begun cannot say so itself."""
        self._pieces.put_nowait(None)

    async def answer(self) -> Answer:
        """The answer.

        Raises:
            RelayError: there is none.
        """
        match await self._pieces.get():
            case Answer() as answer:
                return answer
            case RelayError() as error:
                raise error
        raise Closed("It was closed while it was opened.")

    async def take(self) -> bytes | None:
        """The next piece; None: it has ended.

        Raises:
            RelayError: it broke off.
        """
        match await self._pieces.get():
            case bytes() as piece:
                self._room.release()
                return piece
            case RelayError() as error:
                raise error
        return None
