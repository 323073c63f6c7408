"""Clients of server-sent events that nobody here wrote."""

import httpx
import httpx_sse
import pytest
import requests
import sseclient

from tests.integration.live.watching import address
from tests.integration.pulling.conftest import Client

pytestmark = pytest.mark.django_db(transaction=True)


def headers(client: Client, last_id: str = "") -> dict[str, str]:
    found = {"Authorization": f"Bearer {client.key}"}
    return {**found, "Last-Event-ID": last_id} if last_id else found


def test_httpx_sse(client: Client, channel: str) -> None:
    client.publish(channel, "a", "two\nlines", "c")
    given, last_id = list[str](), ""
    while len(given) < 3:
        url = client.url + address(channel, since="earliest", format="raw")
        with (
            httpx.Client(headers=headers(client, last_id)) as http,
            httpx_sse.connect_sse(http, "GET", url) as source,
        ):
            assert source.response.status_code == 200
            event = next(source.iter_sse())
            given.append(event.data)
            last_id = event.id
            assert event.event == "message"
    assert given == ["a", "two\nlines", "c"]


def test_sseclient(client: Client, channel: str) -> None:
    client.publish(channel, "a", "two\nlines", "c")
    given, last_id = list[str](), ""
    while len(given) < 3:
        url = client.url + address(channel, since="earliest", format="raw")
        with requests.get(url, headers=headers(client, last_id), stream=True, timeout=20) as answer:
            event = next(sseclient.SSEClient(answer).events())
            given.append(event.data)
            last_id = event.id or ""
    assert given == ["a", "two\nlines", "c"]
