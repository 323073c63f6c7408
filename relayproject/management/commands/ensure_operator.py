"""`manage.py ensure_operator`: an operator that can log in, and a token for programs."""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from rest_framework.authtoken.models import Token

from relayproject import env

DEFAULT_USER = "admin"


class Command(BaseCommand):
    """Makes what is missing; a second run changes nothing."""

    help = (
        "Make the operator RELAY_OPERATOR_USER (default: admin) with the password RELAY_OPERATOR_PASSWORD, "
        "or set the password if it is another one, and print the API token and nothing else."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run."""
        name = env.text("RELAY_OPERATOR_USER", DEFAULT_USER)
        password = env.text("RELAY_OPERATOR_PASSWORD", "")
        with transaction.atomic():
            self.stdout.write(_ensure(name, password).key)


def _ensure(name: str, password: str) -> Token:
    users = get_user_model().objects
    if not name:
        raise CommandError("RELAY_OPERATOR_USER must not be empty.")
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
    token, _ = Token.objects.get_or_create(user=user)
    return token
