"""A web process that is killed after it has appended and before it has answered: sent again, stored once."""

import contextlib
import http.client
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings

from relaybase import keys
from relaybase.http.connections import MOST_HEAD_BYTES
from tests.integration.publishing.conftest import Answer, Publisher
from tests.integration.publishing.killed_web import Web
from tests.loops import Loop
from tests.proxy import Proxy

pytestmark = pytest.mark.django_db(transaction=True)

Make = Callable[..., str]

TIMES = 100


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy.to(django_settings.SERVERS.redis_url) as proxy:
        yield proxy


@pytest.fixture
def killed(proxy: Proxy, messages_database: str) -> Iterator[Web]:
    web = Web(proxy.url)
    yield web
    web.stop()


def test_what_is_killed_is_the_web_server_of_a_deployment(killed: Web) -> None:
    """uvicorn's own waits for the end of a head, however long that is."""
    begun = b"GET /healthz HTTP/1.1\r\nHost: relay\r\nX-Long: "
    where = urlsplit(killed.url)
    with socket.create_connection((str(where.hostname), int(where.port or 0)), timeout=10) as web:
        web.sendall(begun.ljust(MOST_HEAD_BYTES + 1, b"a"))
        assert web.recv(1000).startswith(b"HTTP/1.1 431 ")


def post_and_kill(
    web: Web, proxy: Proxy, client: Any, post: Callable[[], Answer], pool: ThreadPoolExecutor
) -> None:
    """Post; kill the web process once it stands on the stream, and nobody was told."""
    appended = client.xinfo_stream(keys.stream(0))["last-generated-id"]
    # With a look at Redis just now the next thing that it is asked is to append.
    with proxy.hole(b"relay-publisher", up=False):
        answer = pool.submit(post)
        deadline = time.monotonic() + 10
        while client.xinfo_stream(keys.stream(0))["last-generated-id"] == appended:
            assert time.monotonic() < deadline, "it was not appended"
            time.sleep(0.002)
        web.kill()
        with pytest.raises((OSError, http.client.HTTPException)):
            answer.result()


def insist(post: Callable[[], Answer]) -> Answer:
    """As a client does: again, until it is answered."""
    deadline = time.monotonic() + 20
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException):
            answer = post()
            if answer.status == 202:
                return answer
        assert time.monotonic() < deadline, "never answered"


@pytest.mark.parametrize(("has_key", "times"), [(True, TIMES), (False, 5)])
def test_what_is_sent_again_is_stored_once_if_it_has_a_key(
    killed: Web,
    proxy: Proxy,
    token: str,
    make_channel: Make,
    relay_keys: Any,
    writer: Loop,
    archive: Any,
    wait_until: Any,
    has_key: bool,
    times: int,
) -> None:
    publisher, channel = Publisher(killed.url, token), make_channel()
    with ThreadPoolExecutor(1) as pool:
        for index in range(times):
            insist(lambda: publisher.post(channel, b"warm"))

            def post(index: int = index) -> Answer:
                more = {"idempotency_key": f"key {index}"} if has_key else {}
                return publisher.post(channel, b"%d" % index, **more)

            post_and_kill(killed, proxy, relay_keys, post, pool)
            insist(post)

    each, wanted = 1 if has_key else 2, {"channel": channel, "message": {"$ne": "warm"}}
    wait_until(lambda: archive.count_documents(wanted) >= times * each)
    found = Counter(document["message"] for document in archive.find(wanted))
    assert len(found) == times
    assert set(found.values()) == {each}
