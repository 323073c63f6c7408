"""The API's pages for people."""

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client

from channels_app.registration import start

pytestmark = pytest.mark.django_db


def _page(browser: Client, address: str) -> str:
    answer = browser.get(address)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/html")
    return unescape(answer.content.decode())


def test_the_first_page_links_to_everything(browser: Client, archive: Any) -> None:
    start("orders")
    links = re.findall(r'href="http://testserver(/api/v1/[^"]+)"', _page(browser, "/api/v1/"))

    assert len(links) == 9
    for link in links:
        _page(browser, link)


def test_start_listening_has_a_form_with_an_example(browser: Client) -> None:
    page = _page(browser, "/api/v1/start-listening")

    assert '<form action="/api/v1/start-listening" method="POST"' in page
    example = r'{\s*"channel": "orders",\s*"deduplicate": "content",\s*"retention_seconds": null\s*}'
    assert re.search(r"<textarea[^>]*>\s*" + example, page)


@pytest.mark.parametrize("address", ["/api/v1/stop-listening/a%2Fb", "/api/v1/channels/a%2Fb"])
def test_a_channel_has_a_delete_button(browser: Client, address: str) -> None:
    start("a/b")

    assert 'data-method="DELETE"' in _page(browser, address)


def test_a_channel_has_a_form_for_its_policy(browser: Client) -> None:
    start("orders")
    page = _page(browser, "/api/v1/channels/orders")

    assert 'data-method="PATCH"' in page
    assert '"deduplicate": "content"' in page


def test_a_stranger_finds_the_way_to_log_in() -> None:
    stranger = Client(headers={"accept": "text/html,*/*;q=0.8"})
    answer = stranger.get("/api/v1/channels")

    assert answer.status_code == 401
    login = "/api/session/login/?next=/api/v1/channels"
    assert login in answer.content.decode()
    assert stranger.get(login).status_code == 200


def test_a_page_can_be_had_as_json(browser: Client) -> None:
    assert browser.get("/api/v1/channels?format=json").json() == {"count": 0, "next": None, "results": []}


def test_what_stands_between_backquotes_is_code(browser: Client, messages_database: str) -> None:
    page = browser.get("/api/v1/channels").content.decode()

    assert "<code>listen</code>" in page
    assert "`listen`" not in page
    assert (
        "`listen`"
        in browser.options("/api/v1/channels", headers={"accept": "application/json"}).json()["description"]
    )
