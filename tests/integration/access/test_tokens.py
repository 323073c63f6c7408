"""Tokens: made, used, rotated, revoked, by command and in the admin."""

import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from access_app import tokens
from access_app.models import AuditEntry, Token
from channels_app.registration import start
from relaycore import rights

pytestmark = pytest.mark.django_db


def _ask(key: str, method: str = "get", address: str = "/api/v1/channels", **body: Any) -> Any:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
    return getattr(client, method)(address, body or None, **({"format": "json"} if body else {}))


def _command(*arguments: str) -> str:
    out = io.StringIO()
    call_command("tokens", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def reader(operator: Any) -> str:
    """The key of a token that may read."""
    return tokens.make("reader", operator, "read")[1]


def test_no_key_is_kept(reader: str) -> None:
    row = Token.objects.values().get()

    assert reader not in str(row)
    assert len(bytes(row["digest"])) == 32
    assert reader.startswith(row["hint"])
    assert len(reader) - len(row["hint"]) > 30


def test_grants_are_read_once_and_again_when_they_are_others(
    operator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens.make("reader", operator, "read")
    token = Token.objects.get()
    parse = Mock(wraps=rights.parse)
    monkeypatch.setattr(rights, "parse", parse)

    assert all(token.granted.allow("read") for _ in range(1000))
    assert parse.call_count == 1
    token.grants = rights.everywhere("publish").as_json()
    assert (token.granted.allow("read"), token.granted.allow("publish")) == (False, True)
    token.grants = None
    assert not token.granted.allow("publish")
    token.refresh_from_db()
    assert token.granted.allow("read")


def test_a_reader_looks_at_everything_and_changes_nothing(reader: str, archive: Any, relay_keys: Any) -> None:
    start("orders")
    for address in ("channels", "channels/orders", "messages?channel=orders", ""):
        assert _ask(reader, address=f"/api/v1/{address}").status_code == 200
    for method, address in [
        ("post", "start-listening"),
        ("delete", "stop-listening/orders"),
        ("delete", "channels/orders"),
        ("patch", "channels/orders"),
    ]:
        answer = _ask(reader, method, f"/api/v1/{address}", deduplicate="every")
        assert answer.status_code == 403
        assert 'scope "read"' in answer.json()["detail"]


def test_a_rotated_token_has_another_key(reader: str) -> None:
    other = tokens.rotate(Token.objects.get())

    assert _ask(reader).status_code == 401
    assert _ask(other).status_code == 200


def test_a_revoked_token_is_refused_even_after_a_rotation(reader: str) -> None:
    token = Token.objects.get()
    assert tokens.revoke(token)
    assert not tokens.revoke(token)

    answer = _ask(reader)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert "revoked" in answer.json()["detail"]
    assert _ask(tokens.rotate(token)).status_code == 401


def test_an_expired_token_is_refused(operator: Any) -> None:
    now = datetime.now(UTC)
    _, past = tokens.make("past", operator, "read", expires_at=now - timedelta(seconds=5))
    _, future = tokens.make("future", operator, "read", expires_at=now + timedelta(hours=1))

    assert (_ask(past).status_code, _ask(future).status_code) == (401, 200)


def test_the_last_use_is_noted_once_a_minute(reader: str) -> None:
    assert Token.objects.get().last_used_at is None
    _ask(reader)
    first = Token.objects.get().last_used_at
    assert first is not None
    _ask(reader)
    assert Token.objects.get().last_used_at == first
    Token.objects.update(last_used_at=first - timedelta(minutes=2))
    _ask(reader)
    assert Token.objects.filter(last_used_at__gte=first).exists()


def test_commands_make_list_rotate_and_revoke(operator: Any) -> None:
    key = _command("make", "import", "--user", "operator", "--scope", "manage", "--days", "30").strip()
    assert _ask(key, "post", "/api/v1/start-listening", channel="orders").status_code == 201
    listed = _command("list")
    assert "import\toperator\tmanage *\t" + key[:10] in listed
    assert key not in listed
    other = _command("rotate", "import").strip()
    assert (_ask(key).status_code, _ask(other).status_code) == (401, 200)
    _command("revoke", "import")
    assert _ask(other).status_code == 401
    assert "revoked" in _command("list")


def test_a_command_makes_a_token_for_some_channels(operator: Any) -> None:
    shop = ("make", "shop", "--user", "operator")
    key = _command(*shop, "--publish", "orders.*", "--publish", "refunds", "--manage", "orders.?")
    token = Token.objects.get(name="shop")

    assert str(token.granted) == "publish orders.* refunds, manage orders.?"
    assert AuditEntry.objects.get().details == {"grants": token.grants, "user": "operator"}
    assert "shop\toperator\tpublish orders.* refunds, manage orders.?\t" in _command("list")
    for channel, status in (("orders.1", 201), ("orders.12", 403), ("refunds", 403)):
        assert _ask(key.strip(), "post", "/api/v1/start-listening", channel=channel).status_code == status
    _command("make", "all", "--user", "operator", "--scope", "read", "--publish", "a")
    assert str(Token.objects.get(name="all").granted) == "read *, publish a"
    _command("make", "reader", "--user", "operator")
    assert str(Token.objects.get(name="reader").granted) == "read *"


def test_a_command_says_what_the_user_lacks(django_user_model: Any) -> None:
    django_user_model.objects.create_user("clerk")
    err = io.StringIO()
    call_command("tokens", "make", "x", "--user", "clerk", "--publish", "a", stdout=io.StringIO(), stderr=err)

    assert 'The user "clerk" lacks messages_app.add_message' in err.getvalue()


@pytest.mark.parametrize(
    ("arguments", "about"),
    [
        (("make", "x", "--user", "operator", "--read", ""), "text without control characters"),
        (("make", "x", "--user", "operator", "--read", "a" * 300), "at most 255 bytes"),
        (("make", "x", "--user", "nobody"), 'no user "nobody"'),
        (("make", "reader", "--user", "operator"), 'a token "reader" already'),
        (("rotate", "nothing"), 'no token "nothing"'),
        (("revoke", "nothing"), 'no token "nothing"'),
    ],
)
def test_commands_say_what_is_wrong(reader: str, arguments: tuple[str, ...], about: str) -> None:
    with pytest.raises(CommandError, match=about):
        _command(*arguments)


def test_the_admin_shows_a_new_key_once(browser: Any, operator: Any) -> None:
    form = {"name": "billing", "user": operator.pk, "read": "*", "expires_at_0": "", "expires_at_1": ""}
    page = browser.post("/admin/access_app/token/add/", form, follow=True)

    token = Token.objects.get()
    (key,) = [
        word for word in page.content.decode().split() if word.startswith(tokens.PREFIX) and "<" in word
    ]
    assert tokens.find(key.partition("<")[0]) == token
    assert token.hint in page.content.decode()
    again = browser.get("/admin/access_app/token/")
    assert key not in again.content.decode()


def test_the_admin_makes_a_token_for_some_channels(browser: Any, operator: Any) -> None:
    form = {"name": "shop", "user": operator.pk, "expires_at_0": "", "expires_at_1": ""}
    channels = {"publish": "orders.*\r\n\r\n refunds ", "consume": "prices"}
    page = browser.post("/admin/access_app/token/add/", form | channels, follow=True).content.decode()

    token = Token.objects.get()
    assert str(token.granted) == "consume prices, publish orders.* refunds"
    assert "consume prices, publish orders.* refunds" in page
    shown = browser.get(f"/admin/access_app/token/{token.pk}/change/").content.decode()
    assert "consume prices, publish orders.* refunds" in shown
    for wrong, about in ({}, "at least one scope"), ({"read": "a" * 300}, "at most 255 bytes"):
        answer = browser.post("/admin/access_app/token/add/", form | {"name": "other"} | wrong)
        assert about in answer.content.decode()
    assert Token.objects.count() == 1


def test_only_a_superuser_sees_keys_that_act_as_somebody_else(
    operator: Any, client: Any, django_user_model: Any, reader: str
) -> None:
    clerk = django_user_model.objects.create_user("clerk", is_staff=True)
    for codename in ("add_token", "view_token"):
        clerk.user_permissions.add(Permission.objects.get(codename=codename))
    client.force_login(clerk)
    form = {"name": "own", "user": operator.pk, "read": "*", "expires_at_0": "", "expires_at_1": ""}
    assert (
        "not one of the available choices"
        in client.post("/admin/access_app/token/add/", form).content.decode()
    )
    page = client.post(
        "/admin/access_app/token/add/", form | {"user": clerk.pk}, follow=True
    ).content.decode()
    assert (
        "The user clerk lacks alerts_app.view_rule, alerts_app.view_silence, channels_app.view_channel"
        in page
    )
    rows = Token.objects.values_list("pk", flat=True)
    chosen = {"action": "rotate", "_selected_action": list(rows)}
    page = client.post("/admin/access_app/token/", chosen, follow=True).content.decode()

    assert "only a superuser may see its key" in page
    assert tokens.find(reader) is not None
    assert Token.objects.get(name="own").rotated_at is not None


def test_the_list_says_what_a_token_is_good_for(browser: Any, operator: Any) -> None:
    now = datetime.now(UTC)
    tokens.make("for ever", operator, "read")
    tokens.make("past", operator, "read", expires_at=now - timedelta(seconds=5))
    tokens.make("future", operator, "manage", expires_at=(now + timedelta(days=2)))
    tokens.revoke(tokens.make("revoked", operator, "read", expires_at=now + timedelta(days=2))[0])
    states = {"for ever": "valid", "past": "expired", "revoked": "revoked"}
    states["future"] = f"until {now + timedelta(days=2):%Y-%m-%d}"

    assert {token.name: token.state for token in Token.objects.all()} == states
    page = browser.get("/admin/access_app/token/").content.decode()
    assert sorted(re.findall(r'<span class="pill [a-z]*">([^<]+)</span>', page)) == sorted(states.values())
    assert all(f"\t{state}\n" in _command("list") for state in states.values())


def test_the_admin_revokes_and_rotates(browser: Any, reader: str) -> None:
    token = Token.objects.get()
    for action in ("rotate", "revoke"):
        chosen = {"action": action, "_selected_action": token.pk}
        assert browser.post("/admin/access_app/token/", chosen, follow=True).status_code == 200

    assert Token.objects.get().revoked_at is not None
    actions = list(AuditEntry.objects.order_by("id").values_list("action", flat=True))
    assert actions == ["token made", "token rotated", "token revoked"]
