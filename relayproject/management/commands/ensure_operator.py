"""`manage.py ensure_operator`: an operator that can log in, and a token for programs."""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from access_app import tokens
from access_app.models import Token
from relaybase import env

DEFAULT_USER = "admin"


class Command(BaseCommand):
    """Makes what is missing; a second run changes nothing."""

    help = (
        "Make the operator RELAY_OPERATOR_USER (default: admin) with the password RELAY_OPERATOR_PASSWORD, "
        "or set the password if it is another one, and the token RELAY_OPERATOR_TOKEN. Without the latter, "
        "make a token once. Print the token, if it is known, and nothing else."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run."""
        name, password, key = asked()
        with transaction.atomic():
            user = _ensure(name, password)
            known = _ensure_token(f"operator {name}", user, key)
        if known:
            self.stdout.write(known)
        else:
            self.stderr.write(
                f'The token was shown when it was made. Another one: tokens rotate "operator {name}"'
            )


def asked() -> tuple[str, str, str]:
    """The user, the password and the token that the environment asks for; the latter two may be empty.

    Raises:
        WrongSetting: one cannot be used.
    """
    least = tokens.LEAST_CHARACTERS
    return (
        env.fitting(
            "RELAY_OPERATOR_USER",
            DEFAULT_USER,
            r"[^\x00-\x1f\x7f]{1,55}",
            "55 characters at most, and none that is not shown",
        ),
        env.text("RELAY_OPERATOR_PASSWORD", ""),
        env.fitting(
            "RELAY_OPERATOR_TOKEN", "", f"[!-~]{{{least},}}", f"{least} characters or more: ASCII, no spaces"
        ),
    )


def _ensure_token(name: str, user: Any, key: str) -> str:
    """The key; empty if there is a token already and nobody knows its key."""
    token = Token.objects.filter(name=name).first()
    if token is None:
        return tokens.make(name, user, Token.Scope.MANAGE, key=key)[1]
    if key and tokens.find(key) != token:
        tokens.rotate(token, key)
    return key


def _ensure(name: str, password: str) -> Any:
    users = get_user_model().objects
    if not password and not users.filter(username=name).exists():
        raise CommandError(
            f'There is no user "{name}" yet. Set RELAY_OPERATOR_PASSWORD (or RELAY_OPERATOR_PASSWORD_FILE) '
            "to make one."
        )
    user, _ = users.get_or_create(username=name)
    if password and not user.check_password(password):
        user.set_password(password)
    user.is_active = user.is_staff = user.is_superuser = True
    user.save()
    return user
