"""A real web process: what only shows where a server decodes addresses, or is without its servers."""

import http.client
import json
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from channels_app.models import Channel
from channels_app.registration import start
from tests.integration.api.test_channel_names import NAMES

pytestmark = pytest.mark.django_db(transaction=True)

NOWHERE = "127.0.0.1:1"


class Program:
    """Sends addresses as they are: other clients tidy them up first."""

    def __init__(self, url: str, token: str) -> None:
        self._host = urlsplit(url).netloc
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def __call__(
        self, method: str, address: str, body: object = None, **headers: str
    ) -> tuple[int, Any, Any]:
        connection = http.client.HTTPConnection(self._host, timeout=30)
        data = json.dumps(body) if body is not None else None
        connection.request(method, address, data, self._headers | headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        is_json = "json" in answer.headers.get("Content-Type", "")
        return answer.status, json.loads(content) if content and is_json else None, answer.headers


@pytest.fixture(scope="module")
def web(serve: Callable[..., str]) -> str:
    """A web process with all its servers."""
    return serve()


@pytest.fixture(scope="module")
def web_without_archive(serve: Callable[..., str]) -> str:
    """A web process that reaches neither MongoDB nor Redis."""
    return serve(
        MONGO_URL=f"mongodb://{NOWHERE}/",
        REDIS_URL=f"redis://{NOWHERE}/0",
    )


@pytest.fixture(scope="module")
def web_without_table(serve: Callable[..., str]) -> str:
    """A web process that does not reach PostgreSQL."""
    return serve(DATABASE_URL=f"postgres://postgres@{NOWHERE}/relay")


@pytest.mark.parametrize("name", [*NAMES, "a/", "a//", "/"])
def test_a_name_goes_round_by_its_location(web: str, token: str, name: str) -> None:
    program = Program(web, token)

    status, row, headers = program("POST", "/api/v1/start-listening/", {"channel": name})
    assert status == 201
    location = urlsplit(headers["Location"]).path
    assert program("GET", location)[:2] == (200, row)
    stop = "/api/v1/stop-listening/" + location.removeprefix("/api/v1/channels/")
    assert program("DELETE", stop)[0] == 204
    assert program("DELETE", stop)[0] == 404
    assert not Channel.objects.exists()


def test_a_quoted_slash_at_the_end_never_means_the_name_without_it(web: str, token: str) -> None:
    program = Program(web, token)
    start("a")

    assert program("DELETE", "/api/v1/stop-listening/a%2F")[0] == 404
    assert program("DELETE", "/api/v1/stop-listening/a%2f")[0] == 404
    assert program("DELETE", "/api/v1/stop-listening/a/")[0] == 204


def test_the_location_of_one_name_never_means_another(web: str, token: str) -> None:
    program = Program(web, token)
    start("a")

    location = program("POST", "/api/v1/start-listening", {"channel": "a/"})[2]["Location"]
    assert program("DELETE", urlsplit(location).path)[0] == 204
    assert program("DELETE", urlsplit(location).path)[0] == 404
    assert Channel.objects.get().channel == "a"


def test_a_slash_after_a_quoted_one_ends_the_address(web: str, token: str) -> None:
    program = Program(web, token)
    start("a/")

    assert program("GET", "/api/v1/channels/a%2F/")[1]["channel"] == "a/"


def test_a_name_with_bare_slashes_is_found(web: str, token: str) -> None:
    start("a/b//c")

    assert Program(web, token)("DELETE", "/api/v1/stop-listening/a/b//c")[0] == 204


def test_bytes_that_are_not_utf_8_name_no_channel(web: str, token: str) -> None:
    assert Program(web, token)("DELETE", "/api/v1/stop-listening/%FF%FE")[0] == 404


def test_waiting_requests_do_not_hold_up_others(web: str, token: str) -> None:
    program = Program(web, token)
    waiting = [
        threading.Thread(
            target=program, args=("POST", "/api/v1/start-listening?wait=3", {"channel": f"channel {n}"})
        )
        for n in range(10)
    ]
    begun = time.monotonic()
    for thread in waiting:
        thread.start()
    while Channel.objects.count() < len(waiting):
        time.sleep(0.01)
    assert program("GET", "/api/v1/channels")[0] == 200
    assert time.monotonic() - begun < 2.5
    for thread in waiting:
        thread.join()


@pytest.mark.parametrize("address", ["messages?channel=orders", "messages/" + "0" * 24])
def test_without_mongodb_the_answer_is_503(web_without_archive: str, token: str, address: str) -> None:
    begun = time.monotonic()

    status, answer, headers = Program(web_without_archive, token)("GET", f"/api/v1/{address}")

    assert time.monotonic() - begun < 5
    assert status == 503
    assert answer["detail"] == "MongoDB does not answer. Try again in a few seconds."
    assert int(headers["Retry-After"]) > 0


def test_without_redis_channels_are_started_and_stopped(web_without_archive: str, token: str) -> None:
    program = Program(web_without_archive, token)

    status, row, _ = program("POST", "/api/v1/start-listening", {"channel": "orders"})
    assert (status, row["messages_stored"]) == (201, None)
    assert program("DELETE", "/api/v1/stop-listening/orders")[0] == 204


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_without_postgresql_the_answer_is_503(web_without_table: str, accept: str) -> None:
    program = Program(web_without_table, "any")

    status, answer, headers = program("GET", "/api/v1/channels", Accept=accept)

    assert status == 503
    assert int(headers["Retry-After"]) > 0
    if answer is not None:
        assert answer["detail"] == "PostgreSQL does not answer. Try again in a few seconds."
