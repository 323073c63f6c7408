"""The event by which a channel goes to every socket: by API, admin and SQL, and what is remembered of it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from access_app.models import AuditEntry
from channels_app import registration
from channels_app.models import Channel, ChannelsMark
from channels_app.remembering import RememberedChannels
from relaycore.errors import BadBroadcast
from tests.integration.admin.filled import filled

CHANNELS = "/api/v1/channels"


def _mark() -> object:
    return ChannelsMark.objects.values_list("mark", flat=True).first()


@pytest.mark.django_db
def test_a_channel_is_made_and_changed_with_one(api: Any) -> None:
    made = api.post(CHANNELS, {"channel": "a", "public": True, "broadcast": "alert"}, format="json")
    assert (made.status_code, made.json()["broadcast"]) == (201, "alert")
    assert AuditEntry.objects.get(action="channel started").details["broadcast"] == "alert"

    cleared = api.patch(f"{CHANNELS}/a", {"broadcast": None}, format="json")
    assert (cleared.status_code, cleared.json()["broadcast"]) == (200, None)
    assert cleared["ETag"] != made["ETag"]
    assert AuditEntry.objects.latest("id").details == {"broadcast": ""}
    assert api.post(CHANNELS, {"channel": "b"}, format="json").json()["broadcast"] is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"broadcast": "alert"}, "public"),
        ({"broadcast": "message", "public": True}, "Relay's own"),
        ({"broadcast": "disconnect", "public": True}, "Socket.IO itself"),
        ({"broadcast": "a b", "public": True}, "letters"),
        ({"broadcast": 7, "public": True}, "broadcast"),
        ({"broadcast": "", "public": True}, "broadcast"),
        ({"broadcast": "x" * 51, "public": True}, "broadcast"),
    ],
)
def test_what_cannot_be_one_is_refused_with_what_to_do(api: Any, body: Any, said: str) -> None:
    registration.start("there")
    made = api.post(CHANNELS, {"channel": "a", **body}, format="json")
    changed = api.patch(f"{CHANNELS}/there", body, format="json")

    assert made.status_code == changed.status_code == 400
    assert said in made.json()["detail"]
    assert said in changed.json()["detail"]
    assert list(Channel.objects.values_list("channel", "broadcast")) == [("there", "")]


@pytest.mark.django_db
def test_what_cannot_be_one_is_said_before_it_is_looked_who_has_changed_what(api: Any) -> None:
    registration.start("a")
    answer = api.patch(f"{CHANNELS}/a", {"broadcast": "a b"}, format="json", headers={"If-Match": '"x"'})
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:relay:problem:bad-broadcast")


@pytest.mark.django_db
def test_what_goes_to_every_socket_stays_public(api: Any) -> None:
    registration.start("a", public=True, broadcast="alert")
    refused = api.patch(f"{CHANNELS}/a", {"public": False}, format="json")

    assert (refused.status_code, refused.json()["type"]) == (400, "urn:relay:problem:bad-broadcast")
    assert api.patch(f"{CHANNELS}/a", {"public": False, "broadcast": None}, format="json").status_code == 200
    with pytest.raises(BadBroadcast):
        registration.change("a", broadcast="alert")


@pytest.mark.django_db
def test_the_admin_sets_it_and_says_what_is_wrong(browser: Client) -> None:
    pk = registration.start("a").pk
    address = f"/admin/channels_app/channel/{pk}/change/"
    opened = browser.get(address).content.decode()
    answer = browser.post(address, filled(opened, broadcast="alert")).content.decode()
    assert "has to be `public`" in answer
    assert "Relay&#x27;s own" in browser.post(address, filled(opened, broadcast="gap")).content.decode()
    assert browser.post(address, filled(opened, broadcast="alert", public="on")).status_code == 302
    row = Channel.objects.get()
    assert (row.broadcast, row.public) == ("alert", True)
    assert AuditEntry.objects.latest("id").details == {"public": True, "broadcast": "alert"}


@pytest.mark.django_db(transaction=True)
def test_the_mark_tells_of_those_that_are_new_as_of_those_that_change() -> None:
    registration.start("before")
    registration.change("before", public=True)
    first = _mark()
    registration.start("other", public=True)
    assert _mark() == first
    registration.start("new", public=True, broadcast="alert")
    second = _mark()
    assert second != first
    registration.change("before", broadcast="alert")
    assert _mark() != second


@pytest.mark.django_db(transaction=True)
def test_it_is_remembered_and_a_change_of_it_counts_within_a_second(
    wait_until: Callable[..., None],
) -> None:
    registration.start("a", public=True, broadcast="alert")
    remembered = RememberedChannels()
    try:
        found = asyncio.run(remembered.find("a"))
        assert found is not None
        assert found.broadcast == "alert"
        registration.change("a", broadcast="notice")
        wait_until(lambda: (remembered.known("a") or found).broadcast == "notice", 1.0)
    finally:
        remembered.close()
