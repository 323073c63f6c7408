"""What who watches is sent, by the letter of the HTML standard."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
import requests

from channels_app.models import Channel
from tests.integration.live.watching import Event, Watcher, address
from tests.integration.pulling.conftest import Client, _names

pytestmark = pytest.mark.django_db(transaction=True)


def watcher(client: Client, channels: str | list[str], **query: Any) -> Watcher:
    return Watcher(client.url, client.key, address(channels, **query))


def is_caught_up(event: Event) -> bool:
    return event.event == "caught-up"


def others(count: int) -> list[str]:
    names = [f"other-{next(_names)}" for _ in range(count)]
    for name in names:
        Channel(channel=name, deduplicate="every", listen=False).save()
    return names


def test_what_is_stored_is_given_from_earliest_on_and_then_what_comes(client: Client, channel: str) -> None:
    client.publish(channel, *(f"m{number}" for number in range(1200)))
    one = watcher(client, channel, since="earliest")
    one.watch(is_caught_up)
    assert one.texts == [f"m{number}" for number in range(1200)]
    client.publish(channel, "later")
    one.watch(lambda event: event.event == "message")
    assert one.texts[1200:] == ["later"]
    row = one.messages[0].json
    assert row == client_row(client, row["id"])


def client_row(client: Client, id: str) -> Any:
    return requests.get(
        f"{client.url}/api/v1/messages/{id}", headers={"Authorization": f"Bearer {client.key}"}
    ).json()


def test_without_a_place_it_begins_with_what_comes(client: Client, channel: str, wait_until: Any) -> None:
    client.publish(channel, "before")
    with watcher(client, channel) as one:
        wait_until(lambda: one.told("caught-up"))
        client.publish(channel, "now")
        wait_until(lambda: one.texts)
    assert one.texts == ["now"]


def test_who_was_given_nothing_goes_on_from_where_it_came(client: Client, channel: str) -> None:
    client.publish(channel, "before")
    one = watcher(client, channel)
    one.watch(is_caught_up)
    client.publish(channel, "meanwhile")
    one.watch(lambda event: event.event == "message")
    assert one.texts == ["meanwhile"]


@pytest.mark.parametrize(
    "payload", ["one", "two\nlines", "CR\rand\r\nCRLF", "", " begins with a space", "\u2028"]
)
def test_text_as_it_is(client: Client, channel: str, payload: str) -> None:
    client.publish(channel, payload)
    one = watcher(client, channel, since="earliest", format="raw")
    one.watch(is_caught_up)
    assert one.messages[0].data == payload.replace("\r\n", "\n").replace("\r", "\n")
    two = watcher(client, channel, since="earliest")
    two.watch(is_caught_up)
    assert two.texts == [payload]


def test_bytes_come_as_base64(client: Client, channel: str) -> None:
    client.post(f"channels/{channel}/messages?confirm=stored", {"message": "/w==", "encoding": "base64"}, 201)
    raw, row = (watcher(client, channel, since="earliest", format=form) for form in ("raw", "json"))
    raw.watch(is_caught_up)
    row.watch(is_caught_up)
    assert (raw.messages[0].event, raw.messages[0].data) == ("base64", "/w==")
    assert (row.messages[0].json["message"], row.messages[0].json["encoding"]) == ("/w==", "base64")


def test_the_header_counts_before_the_address(client: Client, channel: str) -> None:
    client.publish(channel, "a", "b", "c")
    first = watcher(client, channel, since="earliest")
    first.watch(is_caught_up)
    ids = [event.id for event in first.messages]
    one = watcher(client, channel, last_event_id=ids[0])
    one.watch(is_caught_up)
    assert one.texts == ["b", "c"]
    two = watcher(client, channel, last_event_id=ids[0], since="earliest")
    two.last_id = ids[1]
    two.watch(is_caught_up)
    assert two.texts == ["c"]
    three = watcher(client, channel, last_event_id="earliest")
    three.watch(is_caught_up)
    assert three.texts == ["a", "b", "c"]


def test_from_a_time_on(client: Client, channel: str) -> None:
    client.publish(channel, "a")
    client.publish(channel, "b")
    at = requests.get(
        f"{client.url}/api/v1/messages?channel={channel}", headers={"Authorization": f"Bearer {client.key}"}
    ).json()["results"][0]["position"]
    moment = datetime.fromtimestamp(int(at[:13]) / 1000, UTC).isoformat()
    one = watcher(client, channel, since=moment)
    one.watch(is_caught_up)
    assert one.texts == ["b"]
    future = watcher(client, channel, since="2100-01-01T00:00:00Z")
    future.watch(is_caught_up)
    client.publish(channel, "c")
    future.watch(lambda event: event.event == "message")
    assert future.texts == ["c"]


def test_after_the_limit_there_is_an_end_and_the_next_connection_is_told_so(
    client: Client, channel: str
) -> None:
    client.publish(channel, "a", "b", "c")
    one = watcher(client, channel, since="earliest", limit=2)
    one.watch()
    assert one.texts == ["a", "b"]
    assert one.given[-1].event == "end"
    one.watch()
    assert one.statuses == [200, 204]
    # From the id alone somebody else goes on.
    two = watcher(client, channel, last_event_id=one.last_id)
    two.watch(is_caught_up)
    assert two.texts == ["c"]


def test_a_filter_shows_what_it_takes_and_passes_over_the_rest(
    client: Client, channel: str, wait_until: Any
) -> None:
    levels = ["info" if number % 400 else "error" for number in range(900)]
    client.publish(channel, *(json.dumps({"level": level, "n": n}) for n, level in enumerate(levels)))
    wanted = json.dumps({"level": ["error"]})
    one = watcher(client, channel, since="earliest", filter=wanted)
    one.watch(is_caught_up)
    assert [json.loads(text)["n"] for text in one.texts] == [0, 400, 800]
    # It stands behind what it was not shown.
    two = watcher(client, channel, last_event_id=one.last_id)
    two.watch(is_caught_up)
    assert two.texts == []
    with watcher(client, channel, filter=wanted) as three:
        wait_until(lambda: three.told("caught-up"))
        client.publish(channel, '{"level": "info"}', '{"level": "error"}')
        wait_until(lambda: three.texts)
    assert three.texts == ['{"level": "error"}']


def test_who_is_shown_nothing_is_told_every_15_s_where_it_stands(
    client: Client, channel: str, wait_until: Any
) -> None:
    client.publish(channel, "first")
    with watcher(client, channel, filter='{"level": ["error"]}') as one:
        wait_until(lambda: one.told("caught-up"))
        before = one.last_id
        (position,) = client.publish(channel, '{"level": "info"}')
        wait_until(lambda: one.last_id != before, seconds=20)
    assert position in one.last_id
    assert one.texts == []


def test_several_channels_come_in_one_order(client: Client, channel: str, wait_until: Any) -> None:
    channels = [channel, *others(2)]
    for number in range(60):
        client.publish(channels[number % 3], str(number))
    one = watcher(client, channels, since="earliest")
    one.watch(is_caught_up)
    assert one.texts == [str(number) for number in range(60)]
    one.watch(is_caught_up)
    with watcher(client, channels) as two:
        two.last_id = one.last_id
        wait_until(lambda: two.told("caught-up"))
        for number in range(60, 90):
            client.publish(channels[number % 3], str(number))
        wait_until(lambda: len(two.texts) >= 30)
    assert two.texts == [str(number) for number in range(60, 90)]


def test_a_name_with_slashes(client: Client, writer: Any) -> None:
    name = f"a/b-{next(_names)}/live"
    Channel(channel=name, deduplicate="every", listen=False).save()
    client.post(f"channels/{quote(name, safe='')}/messages?confirm=stored", {"message": "x"}, 201)
    one = watcher(client, name, since="earliest")
    one.watch(is_caught_up)
    assert one.texts == ["x"]


@pytest.mark.parametrize(
    ("query", "status", "kind"),
    [
        ("?since=yesterday", 400, "about:blank"),
        ("?last_event_id=x", 400, "urn:relay:problem:bad-event-id"),
        ("?filter=x", 400, "about:blank"),
        ("?filter=%5B%5D", 400, "urn:relay:problem:bad-filter"),
        ("?filter_scope=body", 400, "about:blank"),
        ("?limit=0", 400, "about:blank"),
        ("?format=xml", 400, "about:blank"),
        ("?nonsense=1", 400, "about:blank"),
        ("?limit=1&limit=2", 400, "about:blank"),
        ("?wait_seconds=1", 400, "about:blank"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    client: Client, channel: str, query: str, status: int, kind: str
) -> None:
    headers = {"Authorization": f"Bearer {client.key}", "Accept": "text/event-stream"}
    answer = requests.get(f"{client.url}/api/v1/channels/{channel}/live{query}", headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (status, kind), answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_too_many_channels_and_none(client: Client) -> None:
    headers = {"Authorization": f"Bearer {client.key}"}
    for query in (
        *("", "?channel=", "?channel=a%00b", "?channel=c&ticket=relayticket_a&ticket=relayticket_b"),
        *("?" + "&".join(f"channel=c{n}" for n in range(most)) for most in (51, 1200)),
    ):
        assert requests.get(f"{client.url}/api/v1/live{query}", headers=headers).status_code == 400


def test_who_may_not_is_told_before_whether_there_is_such_a_channel(
    client: Client, channel: str, limited: str
) -> None:
    url = f"{client.url}/api/v1"
    assert requests.get(f"{url}/channels/{channel}/live").status_code == 401
    wrong = {"Authorization": "Bearer wrong"}
    assert requests.get(f"{url}/channels/{channel}/live", headers=wrong).status_code == 401
    may = {"Authorization": f"Bearer {limited}"}
    assert requests.get(f"{url}/channels/{channel}/live", headers=may).status_code == 403
    assert requests.get(f"{url}/channels/no-such-channel/live", headers=may).status_code == 403
    assert requests.get(f"{url}/live?channel=allowed.a&channel={channel}", headers=may).status_code == 403
    assert requests.get(f"{url}/channels/allowed.none/live", headers=may).status_code == 404


def test_long_poll_is_the_same_in_answers_of_json(client: Client, channel: str, in_thread: Any) -> None:
    client.publish(channel, "a", "b", "c")
    first = poll(client, channel, since="earliest", limit=2)
    assert [row["message"] for row in first["messages"]] == ["a", "b"]
    second = poll(client, channel, last_event_id=first["id"], wait_seconds=1)
    assert [row["message"] for row in second["messages"]] == ["c"]
    assert second["messages"][0] == client_row(client, second["messages"][0]["id"])
    nothing = poll(client, channel, last_event_id=second["id"])
    assert nothing["messages"] == []
    assert nothing["events"][-1] == {"event": "caught-up"}

    def wait() -> Any:
        found = poll(client, channel, last_event_id=nothing["id"], wait_seconds=20)
        # What is told, such as a gap, ends the wait as well.
        while not found["messages"] and found["events"]:
            found = poll(client, channel, last_event_id=found["id"], wait_seconds=20)
        return found

    waiting = in_thread(wait)
    client.publish(channel, "d")
    assert [row["message"] for row in waiting.result(10)["messages"]] == ["d"]
    # A stream goes on from the id of a poll.
    one = watcher(client, channel, last_event_id=first["id"])
    one.watch(is_caught_up)
    assert one.texts == ["c", "d"]


def poll(client: Client, channel: str, **query: Any) -> Any:
    headers = {"Authorization": f"Bearer {client.key}", "Accept": "application/json"}
    answer = requests.get(client.url + address(channel, **query), headers=headers, timeout=40)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.json()


def test_headers_keep_proxies_from_holding_it_back(client: Client, channel: str) -> None:
    one = watcher(client, channel)
    answer = one.connect()
    assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert answer.readline() == b": Relay\n"
    one.cut()
