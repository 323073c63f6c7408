"""The client library against a real Relay, and the example of its README as it stands there."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from relay_client import (
    Away,
    Client,
    Conflict,
    Consumer,
    Limits,
    Message,
    NotFound,
    Notice,
    Producer,
    Unauthorized,
)
from relay_client.publishing.outbox import Outbox
from relay_client.publishing.outgoing import Again, Batch, Outcome, Settled
from tests.acceptance.documented import is_like, mentions
from tests.acceptance.stack import ROOT, Stack
from tests.acceptance.test_processes_come_back import answers

CLIENT = ROOT / "clients/python"
PAGE = (CLIENT / "README.md").read_text()

Wait = Callable[..., None]


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    with Client(stack.info["web"], stack.info["token"]) as client:
        yield client


@pytest.fixture
def own_stack(room: Path) -> Iterator[Stack]:
    """One whose web was not killed by others: who ends often is started again later each time."""
    stack = Stack(room / "client")
    stack.start()
    yield stack
    stack.stop()


@pytest.mark.parametrize("name", ["client/a b%", "..", "client ☃ +?#"])
def test_a_channel_is_started_read_page_by_page_changed_and_stopped(
    stack: Stack, client: Client, wait_until: Wait, name: str
) -> None:
    channel = client.channels.start_listening(name, deduplicate="every", wait_seconds=15)
    assert (channel.name, channel.subscription_status, channel.listen) == (name, "ACTIVE", True)
    with pytest.raises(Conflict, match="urn:relay:problem:channel-exists"):
        client.channels.start_listening(name)
    texts = [f"text {number}\u2028" for number in range(23)]
    for text in texts:
        stack.redis.publish(name, text)
    stack.redis.publish(name, b"\xff")

    def payloads() -> list[bytes]:
        return [found.payload for found in client.messages.search(name, order="asc", page_size=10)]

    wait_until(lambda: payloads() == [*(text.encode() for text in texts), b"\xff"])
    pages = list(client.messages.pages(name, page_size=10))
    assert [len(page.messages) for page in pages] == [10, 10, 4]
    first = pages[0].messages[0]
    assert client.messages.get(first.id) == first

    assert client.channels.change(name, retention_seconds=3600).retention_seconds == 3600
    assert client.channels.change(name, retention_seconds=None, deduplicate={"field": "id"}).deduplicate == {
        "field": "id"
    }
    assert name in [found.name for found in client.channels.list(page_size=1)]
    assert [found.name for found in client.channels.list(search=name)] == [name]
    client.channels.stop_listening(name)
    with pytest.raises(NotFound):
        client.channels.get(name)


def test_a_key_that_is_none_is_refused(stack: Stack) -> None:
    with Client(stack.info["web"], "nonsense") as client, pytest.raises(Unauthorized):
        next(client.channels.list())


def test_web_killed_again_and_again_loses_and_doubles_nothing_that_is_published(
    stack: Stack, client: Client, wait_until: Wait
) -> None:
    client.channels.create("through the door")
    texts = [f"text {number}" for number in range(3000)]
    limits = Limits(batch_messages=20, linger_seconds=0, buffer_messages=100)
    failures: list[Again] = []
    with Producer(stack.info["web"], stack.info["token"], limits=limits) as producer, counted(failures):
        sent = []
        for number, text in enumerate(texts):
            if number % 700 == 500:
                kill_web(stack, wait_until)
            sent.append(producer.send("through the door", text, attributes={"number": str(number)}))
    receipts = [delivery.result(0) for delivery in sent]
    assert failures, "nothing was ever tried again"
    wait_until(lambda: answers(stack), what="web is there again")

    def stored() -> list[Message]:
        return list(client.messages.search("through the door", order="asc", page_size=1000))

    wait_until(lambda: len(stored()) >= len(texts), seconds=30)
    assert [message.text for message in stored()] == texts
    assert [message.id for message in stored()] == [receipt.id for receipt in receipts]
    assert stored()[7].attributes == {"number": "7"}
    client.channels.delete("through the door")


def test_web_killed_while_lines_are_published_and_taken_loses_none_and_keeps_their_order(
    own_stack: Stack, wait_until: Wait
) -> None:
    """Each line is taken at least once; in mode `cursor` in the order of the channel, and none again.

    Those who take are away with the web, and say so; they go on by themselves where they stood. In the end
    nothing is left to do: what was finished is known to be so.
    """
    stack, channel, threads, count = own_stack, "taken through the door", 5, 10_000
    client = Client(stack.info["web"], stack.info["token"])
    client.channels.create(channel)
    client.subscriptions.create("reader", channel, mode="cursor", start="earliest")
    client.subscriptions.create("workers", channel, mode="lease", start="earliest", ack_deadline_seconds=10)
    sent: list[Any] = []
    read: list[Message] = []
    worked: list[str] = []
    told: list[tuple[str, Notice]] = []
    limits = Limits(batch_messages=50, linger_seconds=0, buffer_messages=200)
    web, token, until = stack.info["web"], stack.info["token"], time.monotonic() + 60

    def publish(producer: Producer, thread: int) -> None:
        for number in range(count // threads):
            sent.append(producer.send(channel, f"{thread} {number}"))

    def take(name: str, finish: Callable[[Message], object]) -> None:
        with Consumer(web, token, name, told=lambda notice: told.append((name, notice))) as consumer:
            while not is_over():
                if (taken := consumer.take(0.5)) is not None:
                    with taken:
                        finish(taken.message)

    def is_over() -> bool:
        is_all = len(read) >= count and len(set(worked)) >= count
        return is_all or time.monotonic() > until

    with ThreadPoolExecutor(threads + 4) as pool:
        taking = [pool.submit(take, "reader", read.append)]
        taking += [pool.submit(take, "workers", lambda one: worked.append(one.text)) for _ in range(3)]
        with Producer(web, token, limits=limits) as producer:
            publishing = [pool.submit(publish, producer, thread) for thread in range(threads)]
            for share in (0.2, 0.5):
                wait_until(lambda share=share: len(sent) > share * count and read and worked, seconds=30)
                assert max(len(sent), len(read), len(worked)) < count, "it is over: nobody is disturbed"
                kill_web(stack, wait_until)
            for one in publishing:
                one.result()
        for one in taking:
            one.result()

    texts = [message.text for message in client.messages.search(channel, order="asc", page_size=1000)]
    assert sorted(texts) == sorted(f"{t} {n}" for t in range(threads) for n in range(count // threads))
    assert set(worked) == set(texts)
    assert [message.text for message in read] == texts
    assert {name for name, notice in told if isinstance(notice, Away)} == {"reader", "workers"}
    assert [client.subscriptions.size(name).messages for name in ("reader", "workers")] == [0, 0]
    with pytest.raises(Conflict, match="cascade"):
        client.channels.delete(channel)
    client.channels.delete(channel, cascade=True)
    assert [found.name for found in client.subscriptions.list(channel=channel)] == []
    client.close()


def kill_web(stack: Stack, wait_until: Wait) -> None:
    """Kill it, whatever it is doing, and see that another one comes in its place."""
    killed = stack.pids["web"]
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: stack.pids.get("web", killed) != killed, what="another web in its place")


@contextmanager
def counted(failures: list[Again]) -> Iterator[None]:
    """Note each attempt of a producer that was to be repeated."""
    original = Outbox.answered

    def answered(
        self: Outbox[Any], batch: Batch[Any], outcome: Outcome, now: float, chance: float
    ) -> list[Settled[Any]]:
        if isinstance(outcome, Again):
            failures.append(outcome)
        return original(self, batch, outcome, now, chance)

    with mock.patch.object(Outbox, "answered", answered):
        yield


def test_the_example_of_the_readme_does_what_it_shows(stack: Stack) -> None:
    examples = re.findall(r"^```(?:python|text)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    for example, shown in zip(examples[0:6:2], examples[1:6:2], strict=True):
        run_example(stack, example, shown)


def test_the_example_of_the_tutorial_for_consumers_does_what_it_shows(stack: Stack, tmp_path: Path) -> None:
    """With the library as the page has it installed."""
    page = (ROOT / "docs/consuming.md").read_text()
    ((example, shown),) = re.findall(
        r"^```python\n(.*?)^```\n+```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL
    )
    (install,) = [one.words for one in mentions(page) if one.text.startswith(".venv/bin/pip ")]
    # Beside nothing else, and with what there is: hatchling builds it, httpx2 is there.
    options = ["--target", str(tmp_path), "--no-index", "--no-deps", "--no-build-isolation"]
    pip = [sys.executable, "-m", install[0].removeprefix(".venv/bin/")]
    subprocess.run([*pip, *install[1:], *options], cwd=ROOT, check=True, timeout=60)
    run_example(stack, example, shown, tmp_path)


def run_example(stack: Stack, example: str, shown: str, library: Path = CLIENT / "src") -> None:
    environment = {"RELAY": stack.info["web"], "TOKEN": stack.info["token"], "PYTHONPATH": str(library)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert is_like(shown, done.stdout)
