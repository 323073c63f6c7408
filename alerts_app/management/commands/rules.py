"""`manage.py rules`: what turns one channel into another one."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from pymongo.errors import PyMongoError

from alerts_app import defaults, faring, registration, trying
from alerts_app.api.rows import row as as_row
from alerts_app.models import Rule
from alerts_app.trying import Asked
from relaycore.delivering import beginning
from relaycore.delivering.beginning import Start
from relaycore.errors import RelayError, one_line


class Command(BaseCommand):
    """`list`, `show`, `enable`, `disable`, `back-test`, `lay`."""

    help = "List, show, enable, disable and try rules, and lay those that come along once more."

    def add_arguments(self, parser: CommandParser) -> None:
        """All of them."""
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("list", help="name, kind, channels, state; open, waiting, unusable")
        _named(actions, "show", "all of one rule, as JSON")
        enable = _named(actions, "enable", "have it read on")
        enable.add_argument(
            "--from",
            dest="start",
            type=_place,
            help="earliest, latest or a time: it begins anew there. Where it stands if left out",
        )
        _named(actions, "disable", "have it stand still").add_argument("--reason", default="")
        test = _named(actions, "back-test", "what it would tell of what is stored, beside what it told")
        test.add_argument("--settings", type=json.loads, help="JSON: with these, and not its own")
        test.add_argument("--since", type=beginning.time_of, help="of messages from this time on")
        test.add_argument("--until", type=beginning.time_of, help="and before this one")
        actions.add_parser(
            "lay",
            help="make what comes along with RELAY_ALERTS and RELAY_ALERTMANAGER, as far as it is missing",
        )

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        """Run."""
        try:
            getattr(self, f"_{action.replace('-', '_')}")(**options)
        except (DatabaseError, PyMongoError) as exc:
            raise CommandError(f"A server does not answer: {one_line(exc)}") from exc
        except RelayError as exc:
            raise CommandError(str(exc)) from exc

    def _list(self, **_: Any) -> None:
        rules = list(Rule.objects.select_related("channel", "to"))
        fare = faring.of_all_if_known(rules)
        for row in rules:
            state = f"{row.state} ({row.reason})" if row.reason else row.state
            found = None if fare is None else fare.get(row.uuid.hex)
            figures = "-\t-\t-"
            if found is not None:
                waiting = found.waits.replace(",", "") or "-"
                figures = f"{found.open}\t{waiting}\t{found.unusable}"
            self.stdout.write(f"{row.name}\t{row.kind}\t{row.channel}\t{row.to}\t{state}\t{figures}")

    def _show(self, name: str, **_: Any) -> None:
        row = registration.find(name)
        shown = as_row(row, faring.of_all([row]).get(row.uuid.hex))
        self.stdout.write(json.dumps(shown, indent=2, ensure_ascii=False, default=str))

    def _enable(self, name: str, start: Start | None, **_: Any) -> None:
        row = registration.enable(name, start)
        where = f"anew, above {row.position}" if start is not None else "from where it stands"
        self.stdout.write(f"Enabled {name}. It reads {where}.")

    def _disable(self, name: str, reason: str, **_: Any) -> None:
        registration.disable(name, reason)
        self.stdout.write(f"Disabled {name}.")

    def _back_test(self, name: str, settings: Any, since: Any, until: Any, **_: Any) -> None:
        row = registration.find(name)
        wanted = row.settings if settings is None else settings
        asked = Asked(row.channel, row.kind, wanted, row, since, until, trying.MOST_SHOWN)
        tried = trying.run(asked)
        for event in tried.events:
            message = event["told"] if event["message"] is None else event["message"]
            self.stdout.write(
                f"{event['at']:%Y-%m-%dT%H:%M:%SZ}\t{event['found']}\t{event['event']}\t{message}"
            )
        counts = ", ".join(f"{count} {found}" for found, count in tried.counts.items())
        rest = "" if tried.is_all else f" Only up to {tried.upto:%Y-%m-%dT%H:%M:%SZ}: give --since."
        self.stdout.write(f"{tried.messages} messages, {tried.unusable} unusable: {counts}.{rest}")

    def _lay(self, **_: Any) -> None:
        made = defaults.lay_now()
        self.stdout.write(f"Made {', '.join(made)}." if made else "All of it is there.")


def _named(actions: Any, action: str, text: str) -> CommandParser:
    parser: CommandParser = actions.add_parser(action, help=text)
    parser.add_argument("name", metavar="NAME")
    return parser


def _place(text: str) -> Start:
    is_word = text in {beginning.EARLIEST, beginning.LATEST}
    return beginning.parse(text if is_word else {beginning.TIME: text})
