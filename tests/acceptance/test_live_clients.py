"""The clients that watch, against a real Relay whose web process is killed: nothing missed, nothing twice."""

import asyncio
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from relay_client import AsyncClient, Client, Forbidden, Message, NotFound, Unauthorized
from tests.acceptance.stack import ROOT, Stack
from tests.acceptance.test_client import kill_web
from tests.acceptance.test_live_page import make, publish
from tests.acceptance.test_processes_come_back import answers
from tests.node import NODE, environment, installed

CLIENT = ROOT / "clients" / "js"
MESSAGES = 200
KILLS = 2

Wait = Callable[..., None]


@contextmanager
def thread_that_watches(stack: Stack, channel: str) -> Iterator[list[str]]:
    seen: list[str] = []
    with Client(stack.info["web"], stack.info["token"]) as client:
        live = client.live(channel, since="earliest")
        thread = threading.Thread(target=lambda: seen.extend(message.text for message in live))
        thread.start()
        try:
            yield seen
        finally:
            live.close()
            thread.join(5)
            assert not thread.is_alive()


@contextmanager
def task_that_watches(stack: Stack, channel: str) -> Iterator[list[str]]:
    seen: list[str] = []
    ending = threading.Event()

    async def watch() -> None:
        async with AsyncClient(stack.info["web"], stack.info["token"]) as client:
            async with client.live(channel, since="earliest") as live:

                async def read() -> None:
                    async for message in live:
                        seen.append(message.text)

                task = asyncio.create_task(read())
                await asyncio.to_thread(ending.wait)
                await live.close()
                await asyncio.wait_for(task, 5)

    thread = threading.Thread(target=asyncio.run, args=[watch()])
    thread.start()
    try:
        yield seen
    finally:
        ending.set()
        thread.join(10)
        assert not thread.is_alive()


@contextmanager
def script_that_watches(stack: Stack, channel: str) -> Iterator[list[str]]:
    """`clients/js` with the package eventsource."""
    installed(CLIENT)
    eventsource = CLIENT / "node_modules/eventsource/dist/index.js"
    words = [NODE, "tests/acceptance/watch.mjs", str(CLIENT / "src/index.js"), str(eventsource)]
    process = subprocess.Popen(
        [*words, stack.info["web"], channel],
        cwd=ROOT,
        env=environment(TOKEN=stack.info["token"]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    seen: list[str] = []
    assert process.stdout is not None
    lines = process.stdout
    thread = threading.Thread(target=lambda: seen.extend(line.rstrip("\n") for line in lines))
    thread.start()
    try:
        yield seen
    finally:
        try:
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        thread.join(5)


def test_who_watches_misses_nothing_while_the_web_is_killed(stack: Stack, wait_until: Wait) -> None:
    channel = "watched by three"
    make(stack, channel)
    sent: list[str] = []
    ways = (thread_that_watches, task_that_watches, script_that_watches)
    with ways[0](stack, channel) as a, ways[1](stack, channel) as b, ways[2](stack, channel) as c:
        for part in range(KILLS + 1):
            for _ in range(MESSAGES // (KILLS + 1)):
                sent.append(f"message {len(sent)}")
                publish(stack, channel, sent[-1])
                time.sleep(0.005)
            wait_until(lambda: a and b and c, seconds=20, what="all three are there")
            if part < KILLS:
                kill_web(stack, wait_until)
                wait_until(lambda: answers(stack), seconds=20)
        for seen in (a, b, c):
            wait_until(lambda seen=seen: len(seen) >= len(sent), seconds=30, what="all has come")
        time.sleep(1)
    assert a == sent
    assert b == sent
    assert c == sent


def test_a_right_that_is_missing_is_said(stack: Stack) -> None:
    with Client(stack.info["web"], stack.info["token"]) as client, pytest.raises(NotFound):
        next(iter(client.live("there never was such a channel")))
    with Client(stack.info["web"], "rly_none") as client, pytest.raises((Unauthorized, Forbidden)):
        next(iter(client.live("watched by three")))


def test_it_goes_on_from_an_id_that_was_kept(stack: Stack, wait_until: Wait) -> None:
    channel = "kept"
    make(stack, channel)
    for number in range(5):
        publish(stack, channel, str(number))
    wait_until(lambda: len(stack.texts(channel)) == 5)
    with Client(stack.info["web"], stack.info["token"]) as client:
        with client.live(channel, since="earliest") as live:
            first: list[Message] = []
            for message in live:
                first.append(message)
                if len(first) == 3:
                    break
            kept = live.id
        with client.live(channel, after=kept) as live:
            rest = live.events()
            assert [next(rest), next(rest)] == [*client.messages.search(channel, order="asc")][3:]
    assert [message.text for message in first] == ["0", "1", "2"]
