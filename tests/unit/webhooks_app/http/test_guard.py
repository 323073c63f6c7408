"""Nothing inside is connected to, whoever says what and whatever names lead to."""

import asyncio
from collections.abc import Callable, Sequence
from ipaddress import ip_network
from typing import Any

import pytest
import uvloop

from relaycore.errors import BadUrl
from relaycore.outbound.addresses import Allowed
from relaycore.outbound.urls import read
from relaycore.sending.answers import Failure
from tests.unit.relaycore.outbound.hostile import FORMS, INSIDE, PUBLIC, spellings
from tests.unit.webhooks_app.http.endpoints import (
    HERE,
    OK,
    Endpoint,
    answer_ok,
    answering,
    ask,
    run,
    sending,
    serving,
    until,
)
from webhooks_app.http.target import Target

NOBODY = Allowed()
LOCAL = Allowed([ip_network("127.0.0.1"), ip_network("::1")])


def leading_to(*answers: Sequence[str]) -> Callable[[str, int], Any]:
    """A resolver that says another thing each time, and the last one from then on."""
    left = list(answers)

    async def resolve(host: str, port: int) -> Sequence[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return resolve


class Loop(uvloop.Loop):
    """Notes each address that a connection is begun to, and looks up no name. `refuses`: all of them."""

    def __init__(self, refuses: bool = False) -> None:
        super().__init__()
        self.begun: list[str] = []
        self._refuses = refuses

    def __call__(self) -> "Loop":
        return self

    async def create_connection(  # type: ignore[override]
        self, make: Any, host: Any = None, *args: Any, **more: Any
    ) -> Any:
        self.begun.append(host)
        if self._refuses:
            raise ConnectionRefusedError
        return await super().create_connection(make, host, *args, **more)

    async def getaddrinfo(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("a name was looked up beside the resolver")


def test_no_url_and_no_name_leads_inside() -> None:
    """All addresses, spellings and forms; what is no URL is not sent to, what is one leads nowhere."""
    tried = []
    loop = Loop()

    async def story() -> None:
        async with (
            serving(answer_ok) as here,
            sending(NOBODY, resolve=leading_to(["127.0.0.1", "::1"])) as client,
        ):
            for address in INSIDE:
                for host in spellings(address):
                    for form in FORMS:
                        url = form(host).replace(":8080", f":{here.port}")
                        try:
                            target = Target(read(url), timeout_seconds=1)
                        except BadUrl:
                            tried.append(None)
                        else:
                            tried.append((await ask(client, target)).failure)
                            assert tried[-1] is Failure.ADDRESS, url
            assert here.made == 0

    run(story, loop)
    assert len(tried) >= 49 * 4 * 14
    assert set(tried) == {None, Failure.ADDRESS}
    assert tried.count(Failure.ADDRESS) > 49 * 4
    assert loop.begun == []


def test_a_name_that_leads_inside_leads_nowhere() -> None:
    loop = Loop()

    async def story() -> None:
        for address in INSIDE:
            async with sending(NOBODY, resolve=leading_to([address])) as client:
                answer = await ask(client, Target(read("https://hooks.example.org/")))
                assert (answer.failure, answer.is_unsent) == (Failure.ADDRESS, False)

    run(story, loop)
    assert loop.begun == []


def test_of_several_addresses_only_those_that_may_be_are_tried() -> None:
    loop = Loop()

    async def story() -> None:
        async with serving(answer_ok) as here:
            resolve = leading_to(["10.0.0.1", "169.254.169.254", "127.0.0.1", "::1"])
            async with sending(HERE, resolve=resolve) as client:
                assert (await ask(client, here.target(host="hooks.example.org"))).status == 200

    run(story, loop)
    assert loop.begun == ["127.0.0.1"]


def test_a_name_that_leads_elsewhere_after_it_was_looked_at_changes_nothing() -> None:
    """DNS rebinding: the first answer is harmless, the next one is not. Nobody asks for a next one."""

    loop = Loop()

    async def story() -> None:
        async with serving(answer_ok) as here, serving(answering(b"", then_close=True)) as inside:
            resolve = leading_to(["127.0.0.1"], ["127.0.0.2"])
            async with sending(Allowed([ip_network("127.0.0.1")]), resolve=resolve) as client:
                target = here.target(host="hooks.example.org")
                assert [(await ask(client, target)).status for _ in range(3)] == [200] * 3
                client.forget(target)
                await until(lambda: here.open == 0)
                assert (await ask(client, target)).failure is Failure.ADDRESS
            assert (here.made, inside.made) == (1, 0)

    run(story, loop)
    assert loop.begun == ["127.0.0.1"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 300])
def test_a_redirect_is_an_answer_and_followed_by_nobody(status: int) -> None:
    async def story() -> None:
        async with serving(answer_ok) as inside:
            head = f"HTTP/1.1 {status} Moved\r\nlocation: http://127.0.0.1:{inside.port}/\r\n"
            said = f"{head}refresh: 0; url=http://127.0.0.1:{inside.port}/\r\ncontent-length: 0\r\n\r\n"
            async with serving(answering(said.encode())) as endpoint, sending() as client:
                assert (await ask(client, endpoint.target())).status == status
                assert len(endpoint.requests) == 1
            assert inside.made == 0

    run(story)


def test_proxies_of_the_environment_are_asked_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with serving(answer_ok) as proxy, serving(answer_ok) as endpoint, sending() as client:
            for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            assert (await ask(client, endpoint.target())).status == 200
            assert (proxy.made, endpoint.made) == (0, 1)

    run(story)


def test_kept_connections_are_looked_at_again_when_other_networks_are_allowed() -> None:
    async def story() -> None:
        async with serving(wait_a_little) as endpoint, sending() as client:
            target = endpoint.target(max_connections=2)
            under_way = ask(client, target)
            await ask(client, endpoint.target())
            await until(lambda: endpoint.open == 2 or under_way.done())
            client.allow(HERE)
            assert (await ask(client, target)).status == 200
            under_way = ask(client, target)
            await asyncio.sleep(0)
            not_written = ask(client, target)
            client.allow(NOBODY)
            assert (await under_way).status == 200
            assert (await not_written).failure is Failure.ADDRESS, "it was begun, and not written yet"
            await until(lambda: endpoint.open == 0)
            made = endpoint.made
            assert (await ask(client, target)).failure is Failure.ADDRESS
            assert endpoint.made == made
            client.allow(HERE)
            assert (await ask(client, target)).status == 200

    run(story)


def test_a_connection_that_is_being_made_is_looked_at_again_as_well() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    class Slow(Loop):
        async def create_connection(self, *args: Any, **more: Any) -> Any:
            begun.set()
            await go_on.wait()
            return await super().create_connection(*args, **more)

    async def story() -> None:
        async with serving(answer_ok) as endpoint, sending() as client:
            answered = ask(client, endpoint.target())
            await begun.wait()
            client.allow(NOBODY)
            go_on.set()
            assert (await answered).failure is Failure.ADDRESS
            assert endpoint.requests == []

    run(story, Slow())


async def wait_a_little(
    endpoint: Endpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    while True:
        await endpoint.request(reader)
        await asyncio.sleep(0.05)
        writer.write(OK)


def test_public_addresses_are_tried() -> None:
    """The other side: the guard is not what keeps everything out."""
    loop = Loop(refuses=True)

    async def story() -> None:
        for address in PUBLIC:
            async with sending(NOBODY, resolve=leading_to([address])) as client:
                for host in (f"[{address}]" if ":" in address else address, "hooks.example.org"):
                    assert (await ask(client, Target(read(f"https://{host}/")))).failure is Failure.REFUSED

    run(story, loop)
    assert len(loop.begun) == 2 * len(PUBLIC)


def test_a_name_with_many_addresses_has_few_of_them_knocked_at() -> None:
    loop = Loop()

    async def story() -> None:
        async with sending(HERE, resolve=leading_to([f"127.0.0.{n}" for n in range(1, 200)])) as client:
            answer = await ask(client, Target(read("http://hooks.example.org:4/")))
            assert answer.failure is Failure.REFUSED

    run(story, loop)
    assert len(loop.begun) == 4


def test_a_name_without_addresses_is_a_name() -> None:
    async def story() -> None:
        async with sending(LOCAL, resolve=leading_to([])) as client:
            assert (await ask(client, Target(read("http://hooks.example.org/")))).failure is Failure.NAME

    run(story)
