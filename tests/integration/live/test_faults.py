"""Whatever breaks while clients watch: nothing is missed, nothing comes twice, and all of it in order."""

import contextlib
import http.client
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from django.conf import settings as django_settings

from access_app.models import Token
from channels_app.models import Channel
from messages_app.writing.retention import expire
from relaycore.position import last_of
from tests.ending import ended
from tests.integration.conftest import _web
from tests.integration.live.watching import Watcher, address
from tests.integration.publishing.killed_web import Web
from tests.integration.pulling.conftest import Client
from tests.proxy import Proxy

pytestmark = pytest.mark.django_db(transaction=True)

CLIENTS = 20
KILLS = 6


@pytest.fixture
def killed() -> Iterator[Web]:
    """A web process that is there again at once when it was killed."""
    web = Web(django_settings.SERVERS.redis_url)
    yield web
    web.stop()


def numbers(upto: int) -> list[str]:
    return [str(number) for number in range(upto)]


def test_the_web_process_is_killed_again_and_again(
    killed: Web, client: Client, channel: str, wait_until: Any
) -> None:
    with contextlib.ExitStack() as stack:
        watchers = [
            stack.enter_context(Watcher(killed.url, client.key, address(channel, since="earliest")))
            for _ in range(CLIENTS)
        ]
        sent = 0
        for kill in range(KILLS):
            for _ in range(10):
                client.publish(channel, *(str(number) for number in range(sent, sent + 20)))
                sent += 20
            wait_until(lambda sent=sent: all(len(one.texts) > sent // 2 for one in watchers), seconds=30)
            time.sleep(0.01 * kill)
            killed.kill()
        wait_until(lambda: all(len(one.texts) >= sent for one in watchers), seconds=40)
        time.sleep(0.5)
    for one in watchers:
        assert one.texts == numbers(sent)
        assert len(one.statuses) >= KILLS // 2
        assert not one.told("stream-reset")


def test_connections_are_cut_again_and_again(client: Client, channel: str, wait_until: Any) -> None:
    with contextlib.ExitStack() as stack:
        watchers = [
            stack.enter_context(Watcher(client.url, client.key, address(channel, since="earliest"), pause=0))
            for _ in range(CLIENTS)
        ]
        for _ in range(3):
            client.publish(channel, "warm")
        for round in range(50):
            client.publish(channel, *(str(number) for number in range(round * 20, round * 20 + 20)))
            for one in watchers[round % 4 :: 4]:
                one.break_off()
        wait_until(lambda: all(len(one.texts) >= 1003 for one in watchers), seconds=40)
        time.sleep(0.5)
    for one in watchers:
        assert one.texts == ["warm"] * 3 + numbers(1000)


def test_it_is_stopped_who_watches_is_told_when_to_come_again(
    client: Client, channel: str, wait_until: Any, in_thread: Any
) -> None:
    process, url = _web("application", {})
    with contextlib.ExitStack() as stack:
        stack.enter_context(ended(process))
        watchers = [
            stack.enter_context(Watcher(url, client.key, address(channel), pause=60)) for _ in range(CLIENTS)
        ]
        wait_until(lambda: all(one.told("caught-up") for one in watchers))
        poll = url + address(channel, last_event_id=watchers[0].last_id, wait_seconds=30)
        polled = in_thread(lambda: requests.get(poll, headers={"Authorization": f"Bearer {client.key}"}))
        time.sleep(0.5)
        began = time.monotonic()
        process.terminate()
        process.wait(10)
        assert time.monotonic() - began < 5
        wait_until(lambda: all(len(one.retries) == 2 for one in watchers))
        assert polled.result(5).json()["messages"] == []
    assert len({one.retries[1] for one in watchers}) > CLIENTS // 2, "spread out"


@pytest.mark.parametrize("name", ["REDIS_URL", "MONGO_URL"])
def test_a_server_is_away(
    name: str, serve: Callable[..., str], client: Client, channel: str, wait_until: Any
) -> None:
    url = {"REDIS_URL": django_settings.SERVERS.redis_url, "MONGO_URL": django_settings.SERVERS.mongo_url}[
        name
    ]
    with Proxy.to(url) as proxy:
        away = serve(**{name: proxy.url})
        client.publish(channel, *numbers(10))
        path = address(channel, since="earliest")
        with Watcher(away, client.key, path) as one, Watcher(away, client.key, path, pause=0) as two:
            wait_until(lambda: one.told("caught-up") and two.told("caught-up"))
            with proxy.refusing():
                proxy.reset_all()
                client.publish(channel, *(str(number) for number in range(10, 20)))
                two.break_off()
                time.sleep(3)
                assert len(one.texts) == 10
                wait_until(lambda: metric(away, client.key, "relay_live_failing") == 1)
                came_new = Watcher(away, client.key, path)
                if name == "REDIS_URL":
                    answer = came_new.connect()
                    assert answer.status == 200, "a browser takes anything else for the end of all"
                    came_new.cut()
            wait_until(lambda: len(one.texts) >= 20 and len(two.texts) >= 20, seconds=30)
            client.publish(channel, *(str(number) for number in range(20, 30)))
            wait_until(lambda: len(one.texts) >= 30 and len(two.texts) >= 30, seconds=30)
            wait_until(lambda: metric(away, client.key, "relay_live_failing") == 0)
    assert one.texts == two.texts == numbers(30)
    assert set(two.statuses) == {200}


def test_whoever_finds_a_server_away_and_is_sent_away_is_seen_in_readyz(
    serve: Callable[..., str], client: Client, channel: str, wait_until: Any
) -> None:
    def watching(url: str) -> Any:
        checks = requests.get(f"{url}/readyz", timeout=30).json()["checks"]
        return next(check for check in checks if check["name"] == "clients that watch here")

    with Proxy.to(django_settings.SERVERS.redis_url) as proxy:
        away = serve(REDIS_URL=proxy.url)
        assert watching(away)["ok"]
        with proxy.refusing():
            proxy.reset_all()
            with Watcher(away, client.key, address(channel, since="earliest"), pause=0.5) as one:
                wait_until(lambda: metric(away, client.key, "relay_live_failing") == 1)
                assert watching(away)["detail"].startswith("whoever comes is turned away: ")
                assert not one.told("caught-up")
        with Watcher(away, client.key, address(channel, since="earliest"), pause=0.5) as one:
            wait_until(lambda: one.told("caught-up"))
            assert metric(away, client.key, "relay_live_failing") == 0
            assert watching(away)["ok"]


def test_a_revoked_token_is_cut_within_five_seconds(
    client: Client, channel: str, token: str, wait_until: Any
) -> None:
    with Watcher(client.url, client.key, address(channel)) as one:
        wait_until(lambda: one.told("caught-up"))
        Token.objects.all().delete()
        began = time.monotonic()
        wait_until(lambda: one.statuses == [200, 401], seconds=5)
        assert time.monotonic() - began < 5


def test_a_right_is_taken_away_of_one_channel(
    client: Client, channel: str, limited: str, wait_until: Any
) -> None:
    Channel(channel="allowed.a", deduplicate="every", listen=False).save()
    with Watcher(client.url, limited, address(["allowed.a"])) as one:
        wait_until(lambda: one.told("caught-up"))
        Token.objects.filter(name="limited").update(grants=[{"scope": "read", "channels": ["elsewhere"]}])
        wait_until(lambda: one.statuses == [200, 403], seconds=5)


def test_retention_passes_a_client_that_was_away(
    serve: Callable[..., str], client: Client, channel: str
) -> None:
    positions = client.publish(channel, *numbers(10))
    one = Watcher(client.url, client.key, address(channel, since="earliest"))
    one.watch(lambda event: event.event == "message" and event.json["message"] == "3")
    assert expire(channel, 0, positions[7], lambda: False)[0] == 7
    # What the process that it was at has kept of it, it would still be shown for some seconds.
    one.url = serve()
    one.watch(lambda event: event.event == "caught-up")
    (reset,) = one.told("stream-reset")
    assert reset["channel"] == channel
    assert reset["at_most"] >= 3
    assert reset["from"] <= reset["to"]
    assert one.texts == [*numbers(4), "7", "8", "9"]
    # It is told once.
    one.watch(lambda event: event.event == "caught-up")
    assert len(one.told("stream-reset")) == 1


def test_retention_has_deleted_all_of_it(client: Client, channel: str) -> None:
    positions = client.publish(channel, *numbers(5))
    expire(channel, 0, last_of(positions[-1].rsplit("-", 1)[0]), lambda: False)
    one = Watcher(client.url, client.key, address(channel, since="earliest"))
    one.watch(lambda event: event.event == "stream-reset")
    assert one.told("stream-reset")[0]["at_most"] == 5


def test_who_reads_nothing_is_cut_and_goes_on_from_its_id(
    serve: Callable[..., str], client: Client, channel: str, wait_until: Any
) -> None:
    url = serve(RELAY_LIVE_BUFFER_BYTES="65536")
    with Watcher(url, client.key, address(channel, since="earliest")) as quick:
        wait_until(lambda: quick.told("caught-up"))
        lazy = [Watcher(url, client.key, address(channel)) for _ in range(5)]
        answers = [one.connect() for one in lazy]
        sent: list[str] = []
        for _ in range(40):
            batch = [f"{len(sent) + number} ".ljust(100_000, "x") for number in range(5)]
            client.publish(channel, *batch)
            sent += batch
            if cuts(url, client.key):
                break
        wait_until(lambda: cuts(url, client.key) == 5, seconds=20)
        wait_until(lambda: len(quick.texts) >= len(sent))
        for answer in answers:
            with pytest.raises((OSError, http.client.HTTPException)):
                answer.read()
        for one in lazy:
            one.cut()
    assert quick.texts == sent


def metric(url: str, key: str, name: str) -> float:
    """What this web process says of it; 0 while it says nothing."""
    text = requests.get(url + "/metrics", headers={"Authorization": f"Bearer {key}"}).text
    found = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(found[0].split()[1]) if found else 0.0


def cuts(url: str, key: str) -> float:
    return metric(url, key, 'relay_live_left_total{reason="slow"}')


def test_as_many_as_may_and_no_more(serve: Callable[..., str], client: Client, channel: str) -> None:
    url = serve(RELAY_LIVE_CONNECTIONS_PER_TOKEN="2")
    watchers = [Watcher(url, client.key, address(channel)) for _ in range(3)]
    answers = [one.connect() for one in watchers]
    assert [one.statuses for one in watchers] == [[200]] * 3
    text = answers[2].read().decode()
    assert "retry: " in text
    assert "RELAY_LIVE_CONNECTIONS_PER_TOKEN" in text
    poll = requests.get(
        url + address(channel, wait_seconds=1),
        headers={"Authorization": f"Bearer {client.key}", "Accept": "application/json"},
    )
    assert poll.status_code == 503
    for one in watchers:
        one.cut()
