"""`manage.py channels`: list, start and stop channels."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from channels_app import registration
from channels_app.models import LEAST_RETENTION_SECONDS, MOST_RETENTION_SECONDS, Channel
from channels_app.report import reports
from relaycore.errors import RelayError
from relaycore.policy import CONTENT, parse

_AT_ONCE = 1000


class Command(BaseCommand):
    """`list`, `start CHANNEL`, `stop CHANNEL`."""

    help = "List, start and stop channels."

    def add_arguments(self, parser: CommandParser) -> None:
        """The three."""
        actions = parser.add_subparsers(dest="action", required=True)
        listing = actions.add_parser("list", help="name, live status, messages stored, deduplication")
        listing.add_argument("--status", choices=Channel.Status.values, help="only these")
        start = actions.add_parser("start", help="start listening to a channel")
        start.add_argument("channel", metavar="CHANNEL")
        start.add_argument(
            "--deduplicate",
            default=CONTENT.as_json(),
            type=_json_or_text,
            help='content (the default), every, or {"field": "id"}',
        )
        start.add_argument("--retention", type=int, metavar="SECONDS", help="delete messages that are older")
        stop = actions.add_parser("stop", help="stop listening to a channel; what is stored stays")
        stop.add_argument("channel", metavar="CHANNEL")
        stop.add_argument("--cascade", action="store_true", help="its subscriptions go as well")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        """Run."""
        try:
            getattr(self, f"_{action}")(**options)
        except RelayError as exc:
            raise CommandError(str(exc)) from exc

    def _list(self, status: str | None, **_: Any) -> None:
        found = Channel.objects.with_status().order_by("channel")
        if status:
            found = found.in_status(status)
        last = ""
        while page := list(found.filter(channel__gt=last)[:_AT_ONCE]):
            for report in reports(page):
                stored = "?" if report.stored.messages is None else report.stored.messages
                policy = json.dumps(report.channel.deduplicate)
                heard = report.status or "-"  # Nobody is asked to listen.
                self.stdout.write(f"{report.channel}\t{heard}\t{stored}\t{policy}")
            last = page[-1].channel

    def _start(self, channel: str, deduplicate: Any, retention: int | None, **_: Any) -> None:
        if retention is not None and not LEAST_RETENTION_SECONDS <= retention <= MOST_RETENTION_SECONDS:
            raise CommandError(f"--retention must be {LEAST_RETENTION_SECONDS} seconds or more.")
        registration.start(channel, parse(deduplicate), retention)
        self.stdout.write(f"Started listening to {channel}. See: manage.py channels list")

    def _stop(self, channel: str, cascade: bool, **_: Any) -> None:
        registration.stop(channel, cascade=cascade)
        self.stdout.write(f"Stopped listening to {channel}. What is stored stays.")


def _json_or_text(value: str) -> Any:
    return json.loads(value) if value.startswith("{") else value
