"""Names with anything in them go through addresses and come back the same."""

from typing import Any
from urllib.parse import quote

import pytest

from channels_app.models import Channel
from channels_app.registration import start

pytestmark = pytest.mark.django_db

NAMES = [
    "orders",
    "a/b/c",
    "/a",
    "//",
    "a//b",
    "with space",
    " ",
    "a:b:c",
    "100%",
    "%2F",
    "a%20b",
    "naïve.шина.频道.🚌",
    "..",
    ".",
    "a/../b",
    'it\'s "quoted"',
    "a?b=c&d#e",
    "a;b,c+d*e|f\\g<h>",
    "{0}[1]",
    "start-listening",
    "x" * 255,
]


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_found_and_stopped(api: Any, name: str, slash: str) -> None:
    start(name)
    start("another one")
    address = "/api/v1/stop-listening/" + quote(name, safe="") + slash

    assert api.get(address).json()["channel"] == name
    assert api.delete(address).status_code == 204
    assert api.delete(address).status_code == 404
    assert [row.channel for row in Channel.objects.all()] == ["another one"]


def test_a_slash_at_the_end_only_ends_the_address(api: Any) -> None:
    start("a")

    assert api.get("/api/v1/channels/a/").json()["channel"] == "a"


def test_a_slash_at_the_end_belongs_to_the_name_if_there_is_such_a_name(api: Any) -> None:
    start("a")
    start("a/")

    assert api.get("/api/v1/channels/a").json()["channel"] == "a"
    assert api.get("/api/v1/channels/a/").json()["channel"] == "a/"


@pytest.mark.parametrize("address", ["stop-listening/b", "channels/b", "channels/a%00b", "channels/a%0A"])
def test_an_unknown_name_is_404_and_says_so(api: Any, address: str) -> None:
    start("a")

    answer = api.delete(f"/api/v1/{address}")

    assert answer.status_code == 404
    assert answer.json()["detail"]
    assert Channel.objects.count() == 1
