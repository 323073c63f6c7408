"""`manage.py endpoints`: where webhooks go, and the keys that their secrets are encrypted with."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from relaybase.postgres import encrypting
from relaycore.errors import RelayError, one_line
from webhooks_app import keeping
from webhooks_app.models import Endpoint


class Command(BaseCommand):
    """`list`, `key`, `reencrypt`."""

    help = "List endpoints, make a key for RELAY_ENCRYPTION_KEYS, and encrypt by another one."

    def add_arguments(self, parser: CommandParser) -> None:
        """The three."""
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("list", help="name, owner, URL, state")
        actions.add_parser("key", help="print a new key for RELAY_ENCRYPTION_KEYS; it is kept nowhere")
        actions.add_parser("reencrypt", help="encrypt all secrets by the first of RELAY_ENCRYPTION_KEYS")

    def handle(self, *args: Any, action: str, **_: Any) -> None:
        """Run."""
        try:
            getattr(self, f"_{action}")()
        except DatabaseError as exc:
            raise CommandError(f"PostgreSQL does not answer: {one_line(exc)}") from exc
        except RelayError as exc:
            raise CommandError(str(exc)) from exc

    def _list(self) -> None:
        for row in Endpoint.objects.select_related("owner"):
            state = f"{row.state} ({row.reason})" if row.reason else row.state
            self.stdout.write(f"{row.name}\t{row.owner}\t{row.url}\t{state}")

    def _key(self) -> None:
        self.stdout.write(encrypting.new_key())

    def _reencrypt(self) -> None:
        count = keeping.encrypt_all_anew()
        self.stdout.write(f"{count} secrets are encrypted by the first of RELAY_ENCRYPTION_KEYS.")
