"""What many ask at once, asked in few questions.

One question is under way at a time. What is asked for meanwhile goes into the next one: so whoever is alone
waits for nobody, there is no timer, and the more ask the less each of them costs. A question is put
together before it is sent and never joined later, so an answer is never older than what it answers.

For one event loop. A question that fails has failed for all who are in it. What has failed for one key alone
`ask` returns, an exception in place of what was found.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from itertools import islice
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Found = TypeVar("Found")

Ask = Callable[[Sequence[Key]], Awaitable[Mapping[Key, Found | Exception]]]


class Gathering(Generic[Key, Found]):
    """Asks `ask` for keys, at most `most` of them at once. Whoever asks for the same key shares it."""

    def __init__(self, ask: Ask[Key, Found], most: int) -> None:
        self._ask = ask
        self._most = most
        self._waiting: dict[Key, asyncio.Future[Found | None]] = {}
        self._is_asking = False
        self._task: asyncio.Task[None] | None = None

    async def find(self, key: Key) -> Found | None:
        """What is found of this key; None: nothing.

        Raises:
            Exception: whatever the question has failed with.
        """
        if not self._is_asking:
            return await self._find_alone(key)
        future = self._waiting.get(key)
        if future is None:
            future = self._waiting[key] = asyncio.get_running_loop().create_future()
        # Who stops waiting does not take it from the others.
        return await asyncio.shield(future)

    async def _find_alone(self, key: Key) -> Found | None:
        """Ask without a task for it, which costs as much as half of the question."""
        self._is_asking = True
        try:
            found = (await self._ask([key])).get(key)
        finally:
            self._go_on()
        if isinstance(found, Exception):
            raise found
        return found

    def _go_on(self) -> None:
        self._is_asking = bool(self._waiting)
        if self._waiting:
            self._task = asyncio.create_task(self._ask_for_all())

    async def _ask_for_all(self) -> None:
        try:
            while self._waiting:
                asked = {key: self._waiting.pop(key) for key in list(islice(self._waiting, self._most))}
                await self._settle(asked)
        finally:
            self._is_asking = False

    async def _settle(self, asked: Mapping[Key, asyncio.Future[Found | None]]) -> None:
        try:
            found = await self._ask(list(asked))
        except Exception as exc:
            found = dict.fromkeys(asked, exc)
        for key, future in asked.items():
            answer = found.get(key)
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)
