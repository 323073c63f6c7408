"""What goes to every socket, whatever breaks: who can say what he had misses nothing, nothing comes twice."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from websockets.asyncio.client import ClientConnection, connect

from channels_app import registration
from tests.integration.live.breaking import Publisher, deaf, killable, listening_at, peers
from tests.integration.live.page import BOTH, NEWEST, OLDEST, POLLING, WEBSOCKET, Page
from tests.integration.live.viewers import connected, heard, viewer
from tests.integration.pulling.conftest import Client
from tests.proxy import Proxy

pytestmark = pytest.mark.django_db(transaction=True)

KILLS = 4
SOCKETS = 1000


@contextmanager
def killed_under(
    client: Client, told: str, pages: list[dict[str, Any]]
) -> Iterator[tuple[list[Page], list[int]]]:
    """Pages at a web process that was killed `KILLS` times while numbers were published; all of these."""
    with killable() as web, ExitStack() as stack:
        assert "pid" in connected(web.url)
        found = [stack.enter_context(viewer(web.url, **one)) for one in pages]
        for page in found:
            page.first("connect")
        with Publisher(client, told) as publisher:
            for kill in range(KILLS):
                _each_hears_more(found, 20)
                web.kill()
                _each_is_back(found, kill + 2)
        yield found, list(map(int, publisher.texts))


def _each_hears_more(pages: list[Page], many: int) -> None:
    for page in pages:
        goal = len(heard(page)) + many
        page.wait(lambda page=page, goal=goal: len(heard(page)) >= goal, 60)  # type: ignore[misc]


def _each_is_back(pages: list[Page], times: int) -> None:
    for page in pages:
        page.wait(lambda page=page: len(page.all("connect")) >= times, 60)  # type: ignore[misc]


def test_killed_again_and_again_a_new_client_misses_nothing_and_hears_nothing_twice(
    client: Client, told: str
) -> None:
    pages = [{"library": NEWEST, "transports": transports} for transports in (POLLING, WEBSOCKET, BOTH)]
    with killed_under(client, told, pages) as (found, sent):
        for page in found:
            page.wait(lambda page=page: len(heard(page)) >= len(sent), 60)  # type: ignore[misc]
            assert heard(page) == sent


def test_killed_again_and_again_an_old_client_misses_nothing_if_it_is_back_in_five_seconds(
    client: Client, told: str
) -> None:
    pages = [{"library": OLDEST, "transports": transports} for transports in (POLLING, WEBSOCKET)]
    with killed_under(client, told, pages) as (found, sent):
        for page in found:
            page.wait(lambda page=page: heard(page)[-1:] == sent[-1:], 60)  # type: ignore[misc]
            assert sorted(set(heard(page))) == sent


def test_who_does_not_say_what_it_had_is_not_told_exactly_what_it_missed(client: Client, told: str) -> None:
    """The control: the kills are kills, and it is the client's word by which nothing is missed or doubled."""
    with killed_under(client, told, [{"forgets": True}]) as ((page,), sent):
        page.wait(lambda: heard(page)[-1:] == sent[-1:], 60)
        assert heard(page) != sent


def test_later_an_old_client_is_told_what_comes_from_when_it_is_back(
    serve: Callable[..., str], client: Client, told: str
) -> None:
    url = serve()
    connected(url)
    time.sleep(5.5)  # It has not just been restarted any more.
    with viewer(url, library=OLDEST, transports=WEBSOCKET) as page:
        page.first("connect")
        client.publish(told, "1")
        page.wait(lambda: heard(page) == [1])
        page.break_off()
        page.first("disconnect")
        client.publish(told, "2")
        page.wait(lambda: len(page.all("connect")) == 2)
        client.publish(told, "3")
        page.wait(lambda: 3 in heard(page))
        assert heard(page) == [1, 3]


def test_what_was_stored_long_before_is_told_to_nobody_who_comes_new(
    serve: Callable[..., str], client: Client, told: str
) -> None:
    client.publish(told, "1")
    time.sleep(5.5)
    url = serve()
    with viewer(url) as page:
        page.first("connect")
        client.publish(told, "2")
        page.wait(lambda: 2 in heard(page))
        assert heard(page) == [2]


def test_whose_client_was_at_another_server_is_let_in_and_told_what_comes(client: Client, told: str) -> None:
    for said in ({"pid": "x", "offset": "y"}, {"pid": 7}, {"pid": None, "offset": {}}, {"pid": "0" * 9000}):
        assert connected(client.url, **said).keys() == {"sid", "pid"}


def test_one_who_has_joined_as_well_is_told_what_comes_from_when_it_is_back(
    client: Client, told: str
) -> None:
    """What its client remembers is the position of a message then, which says nothing of what went to all."""
    with viewer(client.url) as page:
        page.first("connect")
        pid = connected(client.url)["pid"]
        (position,) = client.publish(told, "1")
        page.wait(lambda: heard(page) == [1])
    foreign = f"{pid.split('_')[0]}_{position}"
    assert connected(client.url, pid=pid, offset=foreign)["pid"] != pid
    assert connected(client.url, pid=pid, offset=f"all.{foreign}")["pid"] == pid
    assert connected(client.url, pid=pid)["pid"] == pid


@pytest.mark.parametrize("name", ["REDIS_URL", "MONGO_URL"])
def test_while_a_server_is_away_nothing_is_missed_by_who_is_connected(
    name: str, serve: Callable[..., str], client: Client, told: str
) -> None:
    servers = django_settings.SERVERS
    url = {"REDIS_URL": servers.redis_url, "MONGO_URL": servers.mongo_url}[name]
    with Proxy.to(url) as proxy:
        away = serve(**{name: proxy.url})
        pages = [{"library": library, "transports": WEBSOCKET} for library in (NEWEST, OLDEST)]
        with ExitStack() as stack:
            found = [stack.enter_context(viewer(away, **one)) for one in pages]
            for page in found:
                page.first("connect")
            client.publish(told, *map(str, range(10)))
            with proxy.refusing():
                proxy.reset_all()
                client.publish(told, *map(str, range(10, 20)))
                time.sleep(3)
            client.publish(told, *map(str, range(20, 30)))
            for page in found:
                page.wait(lambda page=page: len(heard(page)) >= 30)  # type: ignore[misc]
                assert heard(page) == list(range(30))
                assert len(page.all("connect")) == 1


def test_without_postgresql_for_too_long_nobody_is_told_what_may_not_be_public_any_more(
    serve: Callable[..., str], client: Client, told: str
) -> None:
    url = urlsplit(django_settings.SERVERS.database_url)
    name = django_settings.DATABASES["default"]["NAME"]
    with Proxy.to(url._replace(path="/" + name).geturl()) as proxy:
        away = serve(DATABASE_URL=proxy.url)
        with viewer(away, transports=WEBSOCKET) as page:
            page.first("connect")
            with proxy.refusing():
                proxy.reset_all()
                client.publish(told, "1")
                page.wait(lambda: heard(page) == [1])
                registration.change(told, public=False, broadcast="")
                page.wait(lambda: page.all("disconnect"), 45)
                client.publish(told, "2")
                time.sleep(2)
            assert heard(page) == [1]
            page.wait(lambda: len(page.all("connect")) == 2, 30)


def test_a_thousand_sockets_hear_each_message_once_and_in_order(client: Client, told: str) -> None:
    numbers = [str(number) for number in range(30)]
    url = client.url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
    here: list[ClientConnection] = []

    async def watch(opening: asyncio.Semaphore) -> list[str]:
        async with opening:
            raw = await connect(url, proxy=None, compression=None, open_timeout=60)
            await raw.recv()
            await raw.send("40")
            await raw.recv()
        here.append(raw)
        found: list[str] = []
        while len(found) < len(numbers):
            said = str(await asyncio.wait_for(raw.recv(), 60))
            if said.startswith('42["alert",'):
                found.append(said.removeprefix('42["alert",').removesuffix("]"))
        await raw.close()
        return found

    async def all_of_them() -> list[list[str]]:
        opening = asyncio.Semaphore(50)
        tasks = [asyncio.create_task(watch(opening)) for _ in range(SOCKETS)]
        while len(here) < SOCKETS:
            await asyncio.sleep(0.05)
        for at in range(0, len(numbers), 5):
            await asyncio.to_thread(client.publish, told, *numbers[at : at + 5])
        return await asyncio.gather(*tasks)

    found = asyncio.run(all_of_them())
    assert len(found) == SOCKETS
    assert all(one == numbers for one in found)


def test_one_that_reads_nothing_is_cut_and_the_others_are_not(
    serve: Callable[..., str], client: Client, told: str
) -> None:
    url = serve(RELAY_LIVE_BUFFER_BYTES=str(64 << 10))
    process = listening_at(url)
    with viewer(url) as page, deaf(url, "40{}", b'"pid"') as lazy:
        page.first("connect")
        ours = lazy.getsockname()
        assert ours in peers(process)
        texts = [json.dumps(f"{number}" + "x" * 100_000) for number in range(150)]
        for at in range(0, len(texts), 10):
            client.publish(told, *texts[at : at + 10])
        page.wait(lambda: len(heard(page)) == len(texts), 60)
        assert heard(page) == list(map(json.loads, texts))
        assert len(page.all("connect")) == 1
        page.wait(lambda: ours not in peers(process), 40)
