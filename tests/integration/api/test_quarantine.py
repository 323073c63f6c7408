"""The quarantine in the API and at a shell: look, send again, acknowledge, discard."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId
from django.core.management import CommandError, call_command
from django.db import DatabaseError
from redis import Redis
from rest_framework.test import APIClient

from access_app import tokens
from access_app.models import AuditEntry, Token
from messages_app import setting_aside
from messages_app.models import Quarantined
from messages_app.writing import retrying
from relaybase import keys
from relaycore.identity import content_key
from relaycore.position import first_of
from relaycore.storing import known

pytestmark = pytest.mark.django_db

API = "/api/v1/quarantine"
AT = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def entries(messages_database: str) -> Iterator[list[Quarantined]]:
    """Five, the newest last: three of `orders`, one that nobody could read, one with bytes."""
    Quarantined.objects.all().delete()
    rows = [("orders", b"one"), ("orders", b"two"), ("orders", b"3"), (None, b"a=b"), ("bytes", b"\xff")]
    yield [
        Quarantined.objects.create(
            channel=channel,
            payload=payload,
            size=len(payload),
            reason="MongoDB refuses it:\n\x1b[31m code 121",
            position=f"179526240000{number}-0000000000-00000",
            quarantined_at=AT + timedelta(seconds=number),
        )
        for number, (channel, payload) in enumerate(rows)
    ]
    Quarantined.objects.all().delete()


def _ids(answer: Any) -> list[str]:
    return [row["id"] for row in answer.json()["results"]]


def _run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("quarantine", *arguments, stdout=out)
    return out.getvalue()


def test_it_is_listed_page_by_page_the_newest_first(api: APIClient, entries: list[Quarantined]) -> None:
    found, address = list[str](), f"{API}?limit=2"
    while address:
        answer = api.get(address)
        assert answer.status_code == 200
        found, address = found + _ids(answer), answer.json()["next"]

    assert found == [str(entry.pk) for entry in reversed(entries)]
    assert _ids(api.get(f"{API}?channel=orders")) == found[2:]
    assert api.get(f"{API}?cursor=eA").status_code == 400
    assert api.get(f"{API}?acknowledged=perhaps").status_code == 400
    assert "message" not in api.get(API).json()["results"][0]


def test_one_has_its_payload(api: APIClient, entries: list[Quarantined]) -> None:
    text, data = (api.get(f"{API}/{entries[at].pk}").json() for at in (0, 4))

    assert (text["message"], text["encoding"], text["channel"]) == ("one", "utf-8", "orders")
    assert (data["message"], data["encoding"]) == ("/w==", "base64")
    assert api.get(f"{API}/nonsense").status_code == api.get(f"{API}/{'0' * 24}").status_code == 404


def test_one_is_acknowledged(api: APIClient, entries: list[Quarantined]) -> None:
    address = f"{API}/{entries[0].pk}/acknowledge"

    first, second = api.post(address), api.post(address)

    assert first.status_code == 200
    assert first.json()["acknowledged_at"]
    assert second.json() == first.json()
    assert _ids(api.get(f"{API}?acknowledged=true")) == [str(entries[0].pk)]
    assert len(_ids(api.get(f"{API}?acknowledged=false"))) == 4
    assert AuditEntry.objects.get(action="quarantine acknowledged").via == "token tests"
    assert api.post(f"{API}/{'0' * 24}/acknowledge").status_code == 404


def test_one_is_discarded(api: APIClient, entries: list[Quarantined]) -> None:
    address = f"{API}/{entries[0].pk}"

    assert api.delete(address).status_code == 204
    assert api.delete(address).status_code == api.get(address).status_code == 404
    entry = AuditEntry.objects.get(action="quarantine discarded")
    assert (entry.target, entry.details) == (str(entries[0].pk), {"channel": "orders"})


def _sendable(entry: Quarantined) -> Quarantined:
    """It has what a message has: unlike `entries`, whose keys nobody knows."""
    entry.message_id = ObjectId(content_key(b"orders")(bytes(entry.payload)))
    entry.received_at = AT
    entry.save()
    return entry


def test_one_is_sent_again_and_says_so_until_it_is_stored(
    api: APIClient, entries: list[Quarantined], relay_keys: Any
) -> None:
    address = f"{API}/{_sendable(entries[0]).pk}"

    assert api.get(address).json()["sent_again"] is None
    first, second = api.post(f"{address}/retry"), api.post(f"{address}/retry")

    assert (first.status_code, first.json()["sent_again"]) == (202, "on-its-way")
    assert (second.status_code, second.json()["type"]) == (409, "urn:relay:problem:not-retried")
    assert "is being sent again" in second.json()["detail"]
    assert relay_keys.xlen(keys.stream(0)) == 1
    assert api.get(address).json()["sent_again"] == "on-its-way"
    assert [row["sent_again"] for row in api.get(API).json()["results"]] == [None] * 4 + ["on-its-way"]
    assert AuditEntry.objects.get(action="quarantine put back").details == {"channel": "orders"}


def test_what_redis_has_lost_is_called_lost_and_may_be_sent_again(
    api: APIClient, entries: list[Quarantined], relay_keys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"{API}/{_sendable(entries[0]).pk}"
    api.post(f"{address}/retry")
    monkeypatch.setattr(known, "watermark", lambda beside: first_of("9999999999999-0"))

    assert api.get(address).json()["sent_again"] == "lost"
    assert _run("list").splitlines()[-1].split("\t")[-1] == "lost"
    assert api.post(f"{address}/retry").status_code == 202
    assert AuditEntry.objects.filter(action="quarantine put back").count() == 2


def test_what_cannot_be_sent_again_says_why(
    api: APIClient, entries: list[Quarantined], relay_keys: Any
) -> None:
    answer = api.post(f"{API}/{entries[0].pk}/retry")

    assert answer.status_code == 409
    assert "nobody knows which message it was" in answer.json()["detail"]
    assert api.post(f"{API}/{'0' * 24}/retry").status_code == 404
    assert relay_keys.xlen(keys.stream(0)) == 0
    assert not AuditEntry.objects.filter(action="quarantine put back").exists()


def test_while_redis_is_away_nothing_is_sent_again_and_nobody_knows(
    api: APIClient, entries: list[Quarantined], relay_keys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"{API}/{_sendable(entries[0]).pk}"
    api.post(f"{address}/retry")
    monkeypatch.setattr(retrying, "shared_redis", lambda: Redis(port=1))

    assert api.get(address).json()["sent_again"] == "unknown"
    assert api.post(f"{address}/retry").status_code == 503
    with pytest.raises(CommandError, match=r"Not retried \(1\): Redis does not take it"):
        _run("retry", "--channel", "orders")


def test_the_command_sends_again_and_says_what_it_cannot(entries: list[Quarantined], relay_keys: Any) -> None:
    for entry in entries[:3]:
        _sendable(entry)

    assert _run("retry", "--id", str(entries[2].pk)) == (
        "1 message is being sent again: it leaves quarantine once stored.\n"
    )
    with pytest.raises(CommandError) as refused:
        _run("retry", "--all")

    assert str(refused.value).splitlines() == [
        "Not retried (1): It is being sent again, and leaves quarantine once it is stored.",
        "Not retried (2): The entry could not be read, so nobody knows which message it was.",
    ]
    sent = [fields[b"retries"].decode() for _, fields in relay_keys.xrange(keys.stream(0))]
    assert sent == [str(entries[at].pk) for at in (2, 0, 1)], "the oldest first"
    assert [line.split("\t")[-1] for line in _run("list").splitlines()] == ["-", "-"] + ["on-its-way"] * 3


def test_a_token_that_may_only_read_decides_nothing(operator: Any, entries: list[Quarantined]) -> None:
    reader = APIClient()
    key = tokens.make("reader", operator, Token.Scope.READ)[1]
    reader.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")

    assert reader.get(API).status_code == 200
    assert reader.post(f"{API}/{entries[0].pk}/acknowledge").status_code == 403
    assert reader.post(f"{API}/{entries[0].pk}/retry").status_code == 403
    assert reader.delete(f"{API}/{entries[0].pk}").status_code == 403
    assert Quarantined.objects.filter(acknowledged_at=None).count() == 5


def test_a_decision_is_on_record_before_it_is_carried_out(
    entries: list[Quarantined], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(some: Any) -> int:
        raise DatabaseError("MongoDB does not answer")

    monkeypatch.setattr(setting_aside, "_delete", away)
    with pytest.raises(DatabaseError):
        setting_aside.discard(Quarantined.objects.filter(pk=entries[0].pk))

    assert AuditEntry.objects.get(action="quarantine discarded").target == str(entries[0].pk)


def test_the_command_lists_acknowledges_and_discards(entries: list[Quarantined]) -> None:
    listed = _run("list").splitlines()
    assert [line.split("\t")[0] for line in listed] == [str(entry.pk) for entry in reversed(entries)]
    assert "MongoDB refuses it: ⟨001B⟩[31m code 121" in listed[0]

    assert _run("acknowledge", "--channel", "orders") == "3 messages acknowledged.\n"
    assert len(_run("list").splitlines()) == 2
    assert len(_run("list", "--acknowledged").splitlines()) == 5
    assert _run("discard", "--id", str(entries[0].pk)) == "1 message discarded.\n"
    assert _run("discard", "--all") == "4 messages discarded.\n"
    assert AuditEntry.objects.filter(action="quarantine discarded").count() == 5
    with pytest.raises(CommandError, match="An id has 24 hexadecimal digits"):
        _run("discard", "--id", "nonsense")
    with pytest.raises(CommandError):
        _run("discard")
