"""Appends what waits to be told as a web process does, and leaves nothing behind."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import connections

from alerts_app.receiving import channel as of_alerts
from alerts_app.receiving.appending import Appender
from alerts_app.receiving.telling import Publish
from channels_app.remembering import KnownChannel, RememberedChannels
from relaycore.errors import ChannelUnknown


@contextmanager
def appending(monkeypatch: pytest.MonkeyPatch) -> Iterator[Publish]:
    """An event loop in a thread of its own, with a memory of channels of its own."""
    remembered = RememberedChannels()

    async def channel(name: str) -> KnownChannel:
        found = remembered.known(name) or await remembered.find(name)
        if found is None:
            raise ChannelUnknown(name)
        return found

    monkeypatch.setattr(of_alerts, "channel", channel)
    loop = asyncio.new_event_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield Appender(loop)
    finally:
        asyncio.run_coroutine_threadsafe(_end(), loop).result(10)
        # What it has asked PostgreSQL it asked in this one thread.
        asyncio.run_coroutine_threadsafe(asyncio.to_thread(_close), loop).result(10)
        asyncio.run_coroutine_threadsafe(loop.shutdown_default_executor(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        remembered.close()


async def _end() -> None:
    """Nobody waits any more until something is stored."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for one in others:
        one.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _close() -> None:
    connections.close_all()  # Those of the thread that asks.
