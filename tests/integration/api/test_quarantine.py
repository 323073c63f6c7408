"""The quarantine in the API and at a shell: look, acknowledge, discard."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError
from rest_framework.test import APIClient

from access_app import tokens
from access_app.models import AuditEntry, Token
from messages_app import setting_aside
from messages_app.models import Quarantined

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


def test_a_token_that_may_only_read_decides_nothing(operator: Any, entries: list[Quarantined]) -> None:
    reader = APIClient()
    key = tokens.make("reader", operator, Token.Scope.READ)[1]
    reader.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")

    assert reader.get(API).status_code == 200
    assert reader.post(f"{API}/{entries[0].pk}/acknowledge").status_code == 403
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
