"""From names to addresses, whatever name servers do."""

import asyncio
import errno
import socket
import threading
import time
from collections.abc import Sequence

import pytest

from relaycore.outbound.urls import read
from relaycore.sending.answers import Failure
from tests.unit.webhooks_app.http.endpoints import HERE, ask, run, sending, until
from webhooks_app.http import resolving
from webhooks_app.http.resolving import Resolver, look_up
from webhooks_app.http.target import Target


class Names:
    """Name servers: those of `silent` names answer once they may."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.may = threading.Event()

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        if host.startswith("silent"):
            self.may.wait(20)
        if host.startswith("missing"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if host.startswith("odd"):
            raise UnicodeError("label too long")
        return [f"192.0.2.{len(self.asked)}"]


def test_the_system_is_asked() -> None:
    assert "127.0.0.1" in look_up("localhost", 80)
    assert look_up("127.0.0.1", 80) == ["127.0.0.1"]
    with pytest.raises(socket.gaierror):
        look_up("nowhere.invalid", 80)


def test_an_answer_holds_for_as_long_as_it_may_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "KEPT_SECONDS", 0.3)

    async def story() -> None:
        names = Names()
        resolve = Resolver(names)
        began = time.monotonic()
        assert await resolve("a", 80) == ["192.0.2.1"]
        assert await resolve("a", 443) == ["192.0.2.2"]
        while await resolve("a", 80) == ["192.0.2.1"]:
            await asyncio.sleep(0.02)
            assert time.monotonic() < began + 5
        assert time.monotonic() >= began + 0.3
        # The time runs from when it was asked for: a change is hidden for no longer than that.
        assert names.asked == ["a"] * 3

    run(story)


def test_who_asks_for_the_same_name_shares_the_question() -> None:
    async def story() -> None:
        names = Names()
        resolve = Resolver(names)
        asked = [asyncio.create_task(resolve("silent", 80)) for _ in range(5)]
        await until(lambda: names.asked)
        asked[0].cancel()
        names.may.set()
        assert await asyncio.gather(*asked[1:]) == [["192.0.2.1"]] * 4
        assert names.asked == ["silent"]

    run(story)


def test_what_cannot_be_resolved_is_an_error_that_is_not_kept() -> None:
    async def story() -> None:
        names = Names()
        resolve = Resolver(names)
        for name in ("missing", "odd", "missing"):
            with pytest.raises(OSError, match=r"Name or service|label too long"):
                await resolve(name, 80)
        assert len(names.asked) == 3

    run(story)


def test_silent_name_servers_keep_the_others_from_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that took long have a lane of their own the next time: however many of them there are."""
    monkeypatch.setattr(resolving, "SLOW_SECONDS", 0.05)
    monkeypatch.setattr(resolving, "KEPT_SECONDS", 0.0)
    silent = [f"silent{number}" for number in range(resolving.QUICK_THREADS * 2)]

    async def story() -> None:
        names = Names()
        resolve = Resolver(names)
        first = [asyncio.create_task(resolve(name, 80)) for name in silent]
        await until(lambda: len(names.asked) == resolving.QUICK_THREADS)
        await asyncio.sleep(0.1)
        names.may.set()
        await asyncio.gather(*first[: resolving.QUICK_THREADS])
        await asyncio.gather(*first)
        names.may.clear()
        known = silent[: resolving.QUICK_THREADS]
        again = [asyncio.create_task(resolve(name, 80)) for name in known]
        await asyncio.sleep(0)
        for number in range(5):
            async with asyncio.timeout(5):
                await resolve(f"quick{number}", 80)
        assert len(names.asked) == len(silent) + 5 + resolving.SLOW_THREADS
        names.may.set()
        await asyncio.gather(*again)

    run(story)


def test_no_more_threads_are_made_than_may_be() -> None:
    async def story() -> None:
        names = Names()
        resolve = Resolver(names)
        before = threading.active_count()
        asked = [asyncio.create_task(resolve(f"silent{number}", 80)) for number in range(100)]
        await until(lambda: len(names.asked) == resolving.QUICK_THREADS)
        assert threading.active_count() <= before + resolving.QUICK_THREADS
        assert all(one.daemon for one in threading.enumerate() if one.name == "resolver")
        names.may.set()
        assert len(await asyncio.gather(*asked)) == 100

    run(story)


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "MOST_NAMES", 10)
    monkeypatch.setattr(resolving, "SLOW_SECONDS", -1.0)

    async def story() -> None:
        resolve = Resolver(Names())
        for number in range(30):
            await resolve(f"n{number}", 80)
        assert len(resolve._kept) == len(resolve._took_long) == 10
        assert not resolve._asked

    run(story)


def test_without_threads_it_is_not_the_endpoints_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def story() -> None:
        monkeypatch.setattr(threading.Thread, "start", start)
        with pytest.raises(OSError, match="no threads") as caught:
            await Resolver(Names())("a", 80)
        assert caught.value.errno == errno.ENOMEM
        async with sending(HERE) as client:
            answer = await ask(client, Target(read("http://hooks.example.org/")))
            assert (answer.failure, answer.is_unsent) == (Failure.OURS, True)
        monkeypatch.undo()

    run(story)


@pytest.mark.parametrize(("host", "failure"), [("missing.test", Failure.NAME), ("silent.test", Failure.NAME)])
def test_a_name_that_is_not_resolved_is_said_to_be_none(host: str, failure: Failure) -> None:
    async def story() -> None:
        names = Names()
        async with sending(HERE, resolve=Resolver(names)) as client:
            answer = await ask(client, Target(read(f"http://{host}/"), timeout_seconds=0.3))
            assert (answer.failure, answer.is_unsent) == (failure, False)
            names.may.set()

    run(story)
