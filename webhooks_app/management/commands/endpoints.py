"""`manage.py endpoints`: where webhooks go, and the keys that their secrets are encrypted with."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from pymongo.errors import PyMongoError

from relaybase.postgres import encrypting
from relaycore.delivering import beginning
from relaycore.delivering.beginning import Start
from relaycore.errors import RelayError, one_line
from webhooks_app import finding, keeping, registration, testing
from webhooks_app.models import Endpoint


class Command(BaseCommand):
    """`list`, `test`, `enable`, `disable`, `key`, `reencrypt`."""

    help = (
        "List, test, enable and disable endpoints, make a key for their secrets, and encrypt by another one."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """All of them."""
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("list", help="name, owner, URL, state, breaker, last answer")
        _named(actions, "test", "send one test message to it, and say what it answers")
        enable = _named(actions, "enable", "send to it again")
        enable.add_argument(
            "--from", dest="start", type=_place, help="latest or a time; where each stands if left out"
        )
        _named(actions, "disable", "send nothing to it").add_argument("--reason", default="")
        actions.add_parser("key", help="print a new key for RELAY_ENCRYPTION_KEYS; it is kept nowhere")
        actions.add_parser("reencrypt", help="encrypt all secrets by the first of RELAY_ENCRYPTION_KEYS")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        """Run."""
        try:
            getattr(self, f"_{action}")(**options)
        except (DatabaseError, PyMongoError) as exc:
            raise CommandError(f"A server does not answer: {one_line(exc)}") from exc
        except RelayError as exc:
            raise CommandError(str(exc)) from exc

    def _list(self, **_: Any) -> None:
        for row in Endpoint.objects.select_related("owner"):
            state = f"{row.state} ({row.reason})" if row.reason else row.state
            answer = row.last_failure or row.last_status or "-"
            self.stdout.write(f"{row.name}\t{row.owner}\t{row.url}\t{state}\t{row.breaker}\t{answer}")

    def _test(self, name: str, **_: Any) -> None:
        answer = testing.try_out(finding.find(name))
        if answer["status"] is None:
            raise CommandError(f"No answer: {answer['failure']} {answer['detail'] or ''}".strip())
        self.stdout.write(f"{answer['status']}\t{answer['seconds']}\t{json.dumps(answer['body'])}")

    def _enable(self, name: str, start: Start | None, **_: Any) -> None:
        row = registration.enable(name, start)
        self.stdout.write(f"Enabled {name}. It is {row.state}.")

    def _disable(self, name: str, reason: str, **_: Any) -> None:
        registration.disable(name, reason)
        self.stdout.write(f"Disabled {name}.")

    def _key(self, **_: Any) -> None:
        self.stdout.write(encrypting.new_key())

    def _reencrypt(self, **_: Any) -> None:
        anew = keeping.encrypt_all_anew()
        self.stdout.write(f"{anew.count} secrets are encrypted by the first of RELAY_ENCRYPTION_KEYS.")
        if anew.unread:
            raise CommandError(
                "Of these endpoints something was encrypted by another key: "
                f"{', '.join(anew.unread)}. Put that key into RELAY_ENCRYPTION_KEYS as well and do this "
                "again; or, if it is lost, rotate their secrets and set their headers anew."
            )


def _named(actions: Any, action: str, text: str) -> CommandParser:
    parser: CommandParser = actions.add_parser(action, help=text)
    parser.add_argument("name", metavar="NAME")
    return parser


def _place(text: str) -> Start:
    return beginning.parse(text if text == beginning.LATEST else {beginning.TIME: text})
