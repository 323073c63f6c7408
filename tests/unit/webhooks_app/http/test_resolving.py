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


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name takes long sooner, and an answer holds for no time."""
    monkeypatch.setattr(resolving, "SLOW_SECONDS", 0.2)
    monkeypatch.setattr(resolving, "KEPT_SECONDS", 0.0)


async def hang(names: Names, resolve: Resolver, many: int, at_once: int) -> list[asyncio.Task[Sequence[str]]]:
    """Ask for so many silent names, of which so many are asked for before one is answered."""
    before = len(names.asked)
    asked = [asyncio.create_task(resolve(f"silent{number}", 80)) for number in range(many)]
    await until(lambda: len(names.asked) == before + at_once)
    return asked


@pytest.mark.usefixtures("soon")
def test_a_name_that_was_well_waits_for_none_that_nobody_knows() -> None:
    """However many new names hang."""
    most = sum(resolving.NEW)

    async def story() -> None:
        names = Names()
        resolve = Resolver(names)
        for number in range(5):
            await resolve(f"known{number}", 80)
        asked = await hang(names, resolve, 2 * most, most)
        for number in range(5):
            async with asyncio.timeout(5):
                await resolve(f"known{number}", 80)
        new = asyncio.create_task(resolve("new", 80))
        await asyncio.sleep(0.5)
        assert not new.done(), "the control: these names do hang, and are as many as may be"
        names.may.set()
        await asyncio.gather(new, *asked)

    run(story)


@pytest.mark.usefixtures("soon")
def test_a_new_name_waits_for_no_hundred_that_hang() -> None:
    """One that is late gives its place to the next one, after a start as well."""
    many = 100
    assert resolving.NEW[0] < many < sum(resolving.NEW)

    async def story() -> None:
        names = Names()
        resolve = Resolver(names)
        asked = await hang(names, resolve, many, resolving.NEW[0])
        async with asyncio.timeout(10):
            await resolve("new", 80)
        assert not any(one.done() for one in asked)
        names.may.set()
        await asyncio.gather(*asked)

    run(story)


@pytest.mark.usefixtures("soon")
def test_names_that_took_long_have_a_lane_of_their_own_the_next_time() -> None:
    many = sum(resolving.SLOW) + 10

    async def story() -> None:
        names = Names()
        resolve = Resolver(names)
        asked = await hang(names, resolve, many, many)
        await asyncio.sleep(0.3)
        names.may.set()
        await asyncio.gather(*asked)
        names.may.clear()
        asked = await hang(names, resolve, many, sum(resolving.SLOW))
        for name in ("known", "new"):
            async with asyncio.timeout(5):
                await resolve(name, 80)
        await asyncio.sleep(0.3)
        assert len(names.asked) == many + sum(resolving.SLOW) + 2
        names.may.set()
        await asyncio.gather(*asked)
        await resolve("silent0", 80)
        await hang(names, resolve, 1, 1)

    run(story)


@pytest.mark.usefixtures("soon")
def test_no_more_threads_are_made_than_may_be() -> None:
    most = sum(resolving.NEW)

    async def story() -> None:
        names = Names()
        resolve = Resolver(names)
        before = threading.active_count()
        asked = await hang(names, resolve, 2 * most, most)
        await asyncio.sleep(0.5)
        assert len(names.asked) == most
        assert threading.active_count() <= before + most
        assert all(one.daemon for one in threading.enumerate() if one.name == "resolver")
        names.may.set()
        assert len(await asyncio.gather(*asked)) == 2 * most
        names.may.clear()
        again = [asyncio.create_task(resolve(f"silent-again{number}", 80)) for number in range(2 * most)]
        await until(lambda: len(names.asked) == 3 * most)
        names.may.set()
        await asyncio.gather(*again)

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
