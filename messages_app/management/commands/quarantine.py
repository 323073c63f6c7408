"""`manage.py quarantine`: what could not be stored."""

from typing import Any

from bson import ObjectId
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from messages_app import setting_aside
from messages_app.models import Quarantined
from messages_app.writing import retrying
from relaybase.pages import pretty
from relaycore.errors import one_line
from relaycore.storing.batching import batched


class Command(BaseCommand):
    """`list`, `retry`, `acknowledge`, `discard`."""

    requires_system_checks = ()
    help = "List what could not be stored, put it back on the stream, acknowledge it, or discard it for ever."

    def add_arguments(self, parser: CommandParser) -> None:
        """The four."""
        actions = parser.add_subparsers(dest="action", required=True)
        listing = actions.add_parser("list", help="id, when, channel, size, reason, what became of a retry")
        listing.add_argument("--channel", help="only of this channel")
        listing.add_argument(
            "--acknowledged", action="store_true", help="those that somebody knows of as well"
        )
        for action, text in (
            ("retry", "put them back on the stream: they leave once they are stored"),
            ("acknowledge", "they stay, and nothing warns of them any more"),
            ("discard", "delete them for ever"),
        ):
            decision = actions.add_parser(action, help=text)
            which = decision.add_mutually_exclusive_group(required=True)
            which.add_argument("--id", nargs="+", default=[], help="these")
            which.add_argument("--channel", help="all of this channel")
            which.add_argument("--all", action="store_true", help="all that are there")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        """Run."""
        try:
            getattr(self, f"_{action}")(**options)
        except DatabaseError as exc:
            raise CommandError(f"A server does not answer: {one_line(exc)}") from exc

    def _list(self, channel: str | None, acknowledged: bool, **_: Any) -> None:
        found = Quarantined.objects.defer("payload").order_by("-quarantined_at", "-pk")
        found = found if channel is None else found.filter(channel=channel)
        found = found if acknowledged else found.filter(acknowledged_at=None)
        for entries in batched(found.iterator(), setting_aside.AT_ONCE):
            sent_again = retrying.sent_again(entries)
            for entry in entries:
                self._line(entry, sent_again[entry.pk])

    def _line(self, entry: Quarantined, sent_again: str | None) -> None:
        at, reason = f"{entry.quarantined_at:%Y-%m-%d %H:%M:%S}", " ".join(entry.reason.split())
        # A reason may repeat what a stranger has sent: what steers a terminal is shown, not sent to it.
        line = f"{entry.pk}\t{at}\t{entry.channel or '-'}\t{entry.size}\t{reason}\t{sent_again or '-'}"
        self.stdout.write("\t".join(map(pretty.visible, line.split("\t"))))

    def _retry(self, **options: Any) -> None:
        done = retrying.put_back(_wanted(**options))
        self.stdout.write(done.said)
        if done.refused:
            raise CommandError("\n".join(done.refusals))

    def _acknowledge(self, **options: Any) -> None:
        self._say(setting_aside.acknowledge(_wanted(**options)), "acknowledged")

    def _discard(self, **options: Any) -> None:
        self._say(setting_aside.discard(_wanted(**options)), "discarded")

    def _say(self, count: int, what: str) -> None:
        self.stdout.write(f"{count} message{'' if count == 1 else 's'} {what}.")


def _wanted(id: list[str], channel: str | None, all: bool, **_: Any) -> Any:
    if wrong := [one for one in id if not ObjectId.is_valid(one)]:
        raise CommandError(f"An id has 24 hexadecimal digits, not {wrong[0]!r}.")
    if id:
        return Quarantined.objects.filter(pk__in=id)
    return Quarantined.objects.all() if all else Quarantined.objects.filter(channel=channel)
