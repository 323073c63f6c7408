"""A hot endpoint in a real web process: what it needs PostgreSQL for, and what it is counted under."""

import http.client
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import bson
import pytest
from bson import ObjectId
from bson.raw_bson import RawBSONDocument
from django.conf import settings as django_settings
from django.utils import timezone

from access_app import tokens
from access_app.models import Token
from tests.proxy import Proxy

pytestmark = pytest.mark.django_db(transaction=True)

ID = "5f2b9c1e8d7a6b5c4d3e2f10"
PATH = f"/api/v1/messages/{ID}"


@pytest.fixture(autouse=True)
def stored(archive: Any) -> None:
    """A message."""
    document = {"channel": "orders", "message": "hello", "received_at": timezone.now(), "position": "1-1-1"}
    archive.insert_one({"_id": ObjectId(ID), **document})


@pytest.fixture(scope="module")
def postgres() -> Iterator[Proxy]:
    """The way of the web process to PostgreSQL."""
    with Proxy.to(django_settings.SERVERS.database_url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def web(postgres: Proxy, serve: Callable[..., str]) -> str:
    """A web process that reaches PostgreSQL by that way."""
    name = django_settings.DATABASES["default"]["NAME"]
    return serve(DATABASE_URL=urlsplit(postgres.url)._replace(path=f"/{name}").geturl())


def ask(url: str, key: str, path: str = PATH) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


def test_a_known_token_needs_no_postgresql_and_an_unknown_one_is_503(
    web: str, postgres: Proxy, token: str
) -> None:
    assert ask(web, token)[0] == 200
    with postgres.hole() as hole:
        for _ in range(20):
            began = time.monotonic()
            assert ask(web, token)[0] == 200
            assert time.monotonic() - began < 0.5
        began = time.monotonic()
        status, content = ask(web, "unknown")
        assert (status, b"PostgreSQL does not answer" in content) == (503, True)
        assert time.monotonic() - began < 8
        assert ask(web, token)[0] == 200
        assert hole.held


def test_a_revoked_token_is_refused_within_a_second_under_load(web: str, token: str) -> None:
    made, key = Token.objects.get(), token
    answers: list[tuple[float, int]] = []
    stop = threading.Event()

    def load() -> None:
        while not stop.is_set():
            sent_at = time.monotonic()
            answers.append((sent_at, ask(web, key)[0]))

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(1)
        tokens.revoke(made)
        revoked_at = time.monotonic()
        time.sleep(1.5)
    finally:
        stop.set()
        for thread in threads:
            thread.join()

    assert {status for sent_at, status in answers if sent_at < revoked_at - 0.5} == {200}
    assert {status for sent_at, status in answers if sent_at > revoked_at + 1} == {401}


def test_who_asks_at_the_same_time_gets_each_his_own(web: str, token: str, archive: Any) -> None:
    ids = [str(ObjectId()) for _ in range(60)]
    fields = {"channel": "orders", "received_at": timezone.now(), "position": "1-1-1"}
    archive.insert_many({"_id": ObjectId(id), "message": id, **fields} for id in ids)
    broken = bson.encode({"_id": ObjectId("f" * 24), "message": "abc", **fields})
    archive.insert_one(RawBSONDocument(broken.replace(b"abc", b"\xffbc")))
    asked = [*ids, "0" * 24, "f" * 24] * 3

    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda id: ask(web, token, f"/api/v1/messages/{id}"), asked))

    for id, (status, content) in zip(asked, answers, strict=True):
        wanted = {"0" * 24: 404, "f" * 24: 500}.get(id, 200)
        assert status == wanted
        assert status != 200 or json.loads(content)["message"] == id


def test_without_redis_nobody_is_refused(serve: Callable[..., str], token: str) -> None:
    web = serve(REDIS_URL="redis://127.0.0.1:1/0", RELAY_WEB_HOT_REQUESTS_PER_MINUTE="1")

    assert [ask(web, token)[0] for _ in range(3)] == [200] * 3


def test_requests_are_counted_by_their_route(web: str, token: str) -> None:
    def counted(status: int) -> float:
        lines = ask(web, token, "/metrics")[1].decode()
        line = f'relay_http_requests_total{{method="GET",route="message",status="{status}"}} '
        found = re.search(re.escape(line) + r"(\S+)", lines)
        return float(found[1]) if found else 0.0

    before = counted(200), counted(404)
    ask(web, token), ask(web, token), ask(web, token, f"/api/v1/messages/{'0' * 24}")

    assert (counted(200), counted(404)) == (before[0] + 2, before[1] + 1)
