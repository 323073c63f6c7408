"""The same as `subscriptions`, for asyncio: with `await` before each answer."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Literal, Protocol

from relay_client.answers import Answer
from relay_client.calls import Call
from relay_client.rows import UNCHANGED, Unchanged, as_row, rows_of
from relay_client.subscribing import calls
from relay_client.subscribing.calls import Filter, Mode, Order, Scope, Start
from relay_client.subscribing.rows import (
    Committed,
    DeadLetter,
    Done,
    Fetched,
    Lag,
    NotGiven,
    Settled,
    Sought,
    Subscription,
    settled_of,
    subscription_of,
)


class AsyncAsking(Protocol):
    """Who does the requests: the client."""

    async def answer(self, call: Call) -> Answer:
        """The answer to a call."""

    async def ask(self, call: Call) -> Any:
        """The JSON of it."""

    def pages(self, call: Call) -> AsyncIterator[Any]:
        """The JSON of this page and of all that follow."""


class AsyncSubscriptions:
    """The subscriptions: `client.subscriptions`. `AsyncConsumer` takes messages without all that."""

    def __init__(self, client: AsyncAsking) -> None:
        self._client = client

    # --- administering ------------------------------------------------------------------------

    async def create(
        self,
        name: str,
        channel: str,
        *,
        mode: Mode,
        start: Start,
        filter: Filter | Unchanged | None = UNCHANGED,
        filter_scope: Scope | Unchanged = UNCHANGED,
        order: Order | Unchanged = UNCHANGED,
        delay_seconds: int | Unchanged = UNCHANGED,
        ack_deadline_seconds: int | Unchanged = UNCHANGED,
        max_deliveries: int | Unchanged | None = UNCHANGED,
        max_outstanding: int | Unchanged = UNCHANGED,
    ) -> Subscription:
        """Make a subscription of a channel; `Conflict` if there is one of this name.

        `mode`: `cursor` for one reader that gets everything in order, `lease` for workers that share it.
        `start`: "earliest", "latest", a time, or `{"position": …}`.
        """
        call = calls.create(
            name,
            channel,
            mode,
            start,
            filter=filter,
            filter_scope=filter_scope,
            order=order,
            delay_seconds=delay_seconds,
            ack_deadline_seconds=ack_deadline_seconds,
            max_deliveries=max_deliveries,
            max_outstanding=max_outstanding,
        )
        return subscription_of(await self._client.answer(call))

    async def get(self, name: str) -> Subscription:
        """One of them; `NotFound` if there is none of this name."""
        return subscription_of(await self._client.answer(calls.get(name)))

    async def list(
        self,
        *,
        channel: str | None = None,
        mode: Mode | None = None,
        state: Literal["active", "paused"] | None = None,
        search: str | None = None,
        page_size: int | None = None,
    ) -> AsyncIterator[Subscription]:
        """All of them by name, or those that are asked for; page by page."""
        call = calls.all_of(channel=channel, mode=mode, state=state, search=search, page_size=page_size)
        async for page in self._client.pages(call):
            for row in rows_of(Subscription, page):
                yield row

    async def change(
        self,
        name: str,
        *,
        filter: Filter | Unchanged | None = UNCHANGED,
        filter_scope: Scope | Unchanged = UNCHANGED,
        order: Order | Unchanged = UNCHANGED,
        delay_seconds: int | Unchanged = UNCHANGED,
        ack_deadline_seconds: int | Unchanged = UNCHANGED,
        max_deliveries: int | Unchanged | None = UNCHANGED,
        max_outstanding: int | Unchanged = UNCHANGED,
        if_match: str | None = None,
    ) -> Subscription:
        """Change what is given. With `if_match`, a `tag`: `ChangedMeanwhile` if it is not so any more."""
        call = calls.change(
            name,
            if_match=if_match,
            filter=filter,
            filter_scope=filter_scope,
            order=order,
            delay_seconds=delay_seconds,
            ack_deadline_seconds=ack_deadline_seconds,
            max_deliveries=max_deliveries,
            max_outstanding=max_outstanding,
        )
        return subscription_of(await self._client.answer(call))

    async def delete(self, name: str, *, if_match: str | None = None) -> None:
        """Delete it, with what is on its way and dead of it."""
        await self._client.ask(calls.delete(name, if_match=if_match))

    async def pause(self, name: str, reason: str = "") -> Subscription:
        """Hand out nothing from now on. What is leased may be confirmed still."""
        return subscription_of(await self._client.answer(calls.pause(name, reason)))

    async def resume(self, name: str, start: Start | None = None) -> Subscription:
        """Hand out again: from where it stands, or from "latest" or a time."""
        return subscription_of(await self._client.answer(calls.resume(name, start)))

    async def seek(self, name: str, to: Start, *, dry_run: bool = False) -> Sought:
        """Go on from elsewhere, whatever was done. `dry_run`: only say what that would mean."""
        return as_row(Sought, await self._client.ask(calls.seek(name, to, dry_run=dry_run)))

    async def size(self, name: str) -> Lag:
        """How much is not done."""
        return as_row(Lag, await self._client.ask(calls.size(name)))

    # --- what was not delivered ---------------------------------------------------------------

    async def dead_letters(self, name: str, *, page_size: int | None = None) -> AsyncIterator[DeadLetter]:
        """The messages that are handed out no more; asked for page by page."""
        async for page in self._client.pages(calls.dead_letters(name, page_size=page_size)):
            for row in rows_of(DeadLetter, page):
                yield row

    async def redrive(
        self,
        name: str,
        *,
        ids: Sequence[str] | None = None,
        since: datetime | None = None,
        dry_run: bool = False,
    ) -> Done:
        """Hand out again the dead letters of these messages, those since a time, or all."""
        call = calls.of_dead_letters("redrive", name, ids=ids, since=since, dry_run=dry_run)
        return as_row(Done, await self._client.ask(call))

    async def drop(
        self,
        name: str,
        *,
        ids: Sequence[str] | None = None,
        since: datetime | None = None,
        dry_run: bool = False,
    ) -> Done:
        """Let go, on record, the dead letters of these messages, those since a time, or all."""
        call = calls.of_dead_letters("drop", name, ids=ids, since=since, dry_run=dry_run)
        return as_row(Done, await self._client.ask(call))

    async def skip(self, name: str, id: str) -> None:
        """Let one message go, on record, that is on its way or dead."""
        await self._client.ask(calls.skip(name, id))

    async def undelivered(
        self, name: str, *, since: datetime | None = None, page_size: int | None = None
    ) -> AsyncIterator[NotGiven]:
        """What it was never given, or is given no more, the last first; asked for page by page."""
        async for page in self._client.pages(calls.undelivered(name, since=since, page_size=page_size)):
            for row in rows_of(NotGiven, page):
                yield row

    # --- taking by hand -----------------------------------------------------------------------

    async def fetch(
        self,
        name: str,
        *,
        messages: int | None = None,
        size: int | None = None,
        wait_seconds: float | None = None,
        commit: str | None = None,
        generation: int | None = None,
    ) -> Fetched:
        """At most so many messages and bytes, as soon as there are any. It is asked once.

        `commit`, `generation`: as for `commit`, which holds first; if it is refused nothing is fetched.
        """
        call = calls.fetch(
            name, messages=messages, size=size, seconds=wait_seconds, commit=commit, generation=generation
        )
        return as_row(Fetched, await self._client.ask(call))

    async def commit(self, name: str, position: str, generation: int | None = None) -> Committed:
        """Everything up to here is done. Mode `cursor`; `CursorMoved` if it does not stand where it did."""
        return as_row(Committed, await self._client.ask(calls.commit(name, position, generation)))

    async def ack(self, name: str, tokens: Sequence[str]) -> Sequence[Settled]:
        """These messages are done. Mode `lease`. What came too late is no error: `is_ok` says it."""
        return settled_of(await self._client.ask(calls.settle("ack", name, tokens)), tokens)

    async def nack(
        self, name: str, tokens: Sequence[str], delay_seconds: float | None = None
    ) -> Sequence[Settled]:
        """These are given back, for others, after a while. Mode `lease`."""
        call = calls.settle("nack", name, tokens, delay_seconds=delay_seconds)
        return settled_of(await self._client.ask(call), tokens)

    async def extend(self, name: str, tokens: Sequence[str], seconds: float) -> Sequence[Settled]:
        """These are needed for so long, from now on. Mode `lease`."""
        return settled_of(
            await self._client.ask(calls.settle("extend", name, tokens, seconds=seconds)), tokens
        )
