"""`manage.py ensure_operator` and `manage.py publish`."""

import io
import sys
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

from access_app import tokens
from access_app.models import Token
from relaybase.connections import shared_redis
from relaybase.env import WrongSetting
from relaycore.rights import everywhere


def _run(*arguments: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command(*arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


@pytest.fixture
def quick_hashes(settings: Any) -> None:
    """Passwords are hashed in no time."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.mark.django_db
class TestEnsureOperator:
    @pytest.fixture(autouse=True)
    def _environment(self, quick_hashes: None, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("RELAY_OPERATOR_USER", raising=False)
        monkeypatch.setenv("RELAY_OPERATOR_PASSWORD", "first password")

    def test_makes_an_operator_and_prints_the_token_and_nothing_else(self) -> None:
        out, err = _run("ensure_operator", "--skip-checks")

        user = get_user_model().objects.get(username="admin")
        assert (user.is_superuser, user.is_staff, user.is_active) == (True, True, True)
        assert user.check_password("first password")
        assert (tokens.find(out.strip()), err) == (Token.objects.get(user=user), "")
        assert Token.objects.get().granted == everywhere("manage")

    def test_changes_nothing_the_second_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        key, _ = _run("ensure_operator")
        before = get_user_model().objects.values().get()
        out, err = _run("ensure_operator")
        assert (out, "tokens rotate" in err) == ("", True)
        monkeypatch.delenv("RELAY_OPERATOR_PASSWORD")
        _run("ensure_operator")
        assert get_user_model().objects.values().get() == before
        assert tokens.find(key.strip())

    def test_a_token_that_is_given_is_the_token_from_then_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        first, _ = _run("ensure_operator")
        monkeypatch.setenv("RELAY_OPERATOR_TOKEN", "x" * 20)

        assert _run("ensure_operator") == _run("ensure_operator") == ("x" * 20 + "\n", "")
        assert tokens.find("x" * 20)
        assert tokens.find(first.strip()) is None

    def test_a_token_that_can_be_guessed_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RELAY_OPERATOR_TOKEN", "x" * 19)
        with pytest.raises(WrongSetting, match="20 characters"):
            _run("ensure_operator")

    def test_sets_another_password_and_keeps_the_token(self, monkeypatch: pytest.MonkeyPatch) -> None:
        key, _ = _run("ensure_operator")
        monkeypatch.setenv("RELAY_OPERATOR_PASSWORD", "second password")

        _run("ensure_operator")
        assert tokens.find(key.strip())
        assert get_user_model().objects.get().check_password("second password")

    def test_lets_an_operator_in_again(self) -> None:
        get_user_model().objects.create_user("admin", is_active=False)
        _run("ensure_operator")

        user = get_user_model().objects.get()
        assert (user.is_superuser, user.is_staff, user.is_active) == (True, True, True)

    def test_takes_another_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RELAY_OPERATOR_USER", "ops")
        _run("ensure_operator")

        assert get_user_model().objects.get().get_username() == "ops"

    def test_without_a_password_says_what_to_set(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("RELAY_OPERATOR_PASSWORD")
        with pytest.raises(CommandError, match="Set RELAY_OPERATOR_PASSWORD"):
            _run("ensure_operator")
        assert not get_user_model().objects.exists()


class TestPublish:
    def test_says_how_many_received_it(self) -> None:
        with shared_redis().pubsub(ignore_subscribe_messages=True) as pubsub:
            pubsub.subscribe("naïve")
            pubsub.get_message(timeout=5)

            assert _run("publish", "naïve", "hé") == ("1\n", "")
            message = pubsub.get_message(timeout=5)
            assert message is not None
            assert message["data"] == "hé".encode()

    def test_reads_bytes_from_stdin(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff\x00\n")))
        with shared_redis().pubsub(ignore_subscribe_messages=True) as pubsub:
            pubsub.subscribe("orders")
            pubsub.get_message(timeout=5)

            _run("publish", "orders", "-")
            message = pubsub.get_message(timeout=5)
            assert message is not None
            assert message["data"] == b"\xff\x00\n"

    def test_says_when_nobody_listened(self) -> None:
        out, err = _run("publish", "nobody hears this", "hello")

        assert out == "0\n"
        assert "Nobody listened" in err

    def test_fails_when_nobody_listened_if_somebody_is_to(self) -> None:
        with pytest.raises(CommandError, match="1 messages were heard by nobody"):
            _run("publish", "--expect-listener", "nobody hears this", "hello")

    def test_publishes_the_messages_of_a_file(self, tmp_path: Path) -> None:
        file = tmp_path / "messages"
        file.write_bytes(b'{"message": "a"}\n\n{"message": "/w==", "encoding": "base64"}')
        with shared_redis().pubsub(ignore_subscribe_messages=True) as pubsub:
            pubsub.subscribe("orders")
            pubsub.get_message(timeout=5)

            assert _run("publish", "orders", "--file", str(file)) == ("2\n", "")
            messages = [pubsub.get_message(timeout=5) for _ in range(2)]
            assert [message and message["data"] for message in messages] == [b"a", b"\xff"]

    def test_names_the_line_that_is_no_message(self, tmp_path: Path) -> None:
        file = tmp_path / "messages"
        file.write_bytes(b'{"message": "a"}\n\nhello\n')
        with pytest.raises(CommandError, match="Line 3: Message 0 is not JSON"):
            _run("publish", "orders", "--file", str(file))
        with pytest.raises(CommandError, match="cannot be read"):
            _run("publish", "orders", "--file", str(tmp_path / "other"))

    def test_publishes_by_http(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(CommandError, match="Set RELAY_TOKEN"):
            _run("publish", "orders", "hello", "--http", "http://127.0.0.1:1")
        monkeypatch.setenv("RELAY_TOKEN", "key")
        monkeypatch.setattr("relayproject.posting.poster._WAIT_SECONDS", 0.0)
        with pytest.raises(CommandError, match=r"Relay did not take it\. It does not answer"):
            _run("publish", "orders", "hello", "--http", "http://127.0.0.1:1")
        with pytest.raises(CommandError, match="is not the address of a Relay"):
            _run("publish", "orders", "hello", "--http", "127.0.0.1:1")

    def test_what_may_have_been_taken_can_be_published_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RELAY_TOKEN", "key")
        monkeypatch.setattr("relayproject.posting.poster._WAIT_SECONDS", 0.0)
        with pytest.raises(CommandError, match=r"--idempotency-key mine$"):
            _run("publish", "orders", "hello", "--http", "http://127.0.0.1:1", "--idempotency-key", "mine")
        with pytest.raises(CommandError, match="1 to 200 visible"):
            _run("publish", "orders", "hello", "--http", "http://127.0.0.1:1", "--idempotency-key", "a b")
        with pytest.raises(CommandError, match="of no use without --http"):
            _run("publish", "orders", "hello", "--idempotency-key", "mine")

    def test_says_when_redis_is_away(self, redis_away: None) -> None:
        with pytest.raises(CommandError, match="Redis did not take the message"):
            _run("publish", "orders", "hello")
