"""`manage.py messages`: follow a channel, or export it."""

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError
from pymongo.errors import PyMongoError

from messages_app.management.tailing import Watch, as_line
from messages_app.searching.files import FORMATS, FilePart, as_file
from messages_app.searching.history import MOST_PER_PAGE, Search, at, read
from messages_app.searching.rows import row
from relaybase import stopping
from relaycore.errors import Disconnected, RelayError, one_line
from relaycore.following.places import Document
from relaycore.live.owed import Told
from relaycore.position import START

_LOOK_SECONDS = 0.3
_BAR = 40


class Command(BaseCommand):
    """`tail --channel NAME`, `export --channel NAME`."""

    requires_system_checks = ()
    help = "Follow the messages of a channel as they are stored, or write all of them to a file."

    def add_arguments(self, parser: CommandParser) -> None:
        """The two."""
        actions = parser.add_subparsers(dest="action", required=True)
        tail = actions.add_parser("tail", help="the last messages, and then those to come, until Ctrl-C")
        tail.add_argument("--channel", required=True)
        tail.add_argument("--lines", type=int, default=10, help="how many of those that are there")
        tail.add_argument("--json", action="store_true", help="one JSON object a line")
        tail.add_argument("--no-follow", action="store_true", help="not those to come")
        out = actions.add_parser("export", help="write all messages to a file")
        out.add_argument("--channel", required=True)
        out.add_argument("--format", choices=list(FORMATS), default="ndjson")
        out.add_argument(
            "--spreadsheet",
            action="store_true",
            help="in CSV: a ' before each cell that a spreadsheet would take for a formula",
        )
        out.add_argument("--output", default="-", help="the file (default: standard output)")
        out.add_argument("--since", type=_position, help="from this time on, such as 2026-11-21T12:00:00Z")
        out.add_argument("--until", type=_position, help="before this time")
        out.add_argument("--contains", help="only those with this text in them")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        """Run."""
        try:
            getattr(self, f"_{action}")(**options)
        except RelayError as exc:
            raise CommandError(str(exc)) from exc
        except PyMongoError as exc:
            raise CommandError(f"MongoDB does not answer: {type(exc).__name__}") from exc
        except KeyboardInterrupt:
            self.stderr.write("")

    def _tail(self, channel: str, lines: int, json: bool, no_follow: bool, **_: Any) -> None:
        if not no_follow:
            # An exception by Ctrl-C is lost where Python runs a finalizer, and never comes in the background.
            stopping.listen_to_signals(signal.SIGINT, signal.SIGTERM)
        lines = max(0, min(lines, MOST_PER_PAGE))
        for message in _last(channel, lines) if no_follow else _follow(channel, lines, self.stderr.write):
            self.stdout.write(_as_json(message) if json else _as_line(message))
            self.stdout.flush()

    def _export(
        self, channel: str, format: str, output: str, since: str | None, until: str | None, **options: Any
    ) -> None:
        search = Search(channel, since, until, options["contains"], newest_first=False)
        if options["spreadsheet"] and format != "csv":
            raise CommandError("--spreadsheet is for --format csv.")
        parts = as_file(search, format, spreadsheet=options["spreadsheet"])
        if output == "-":
            self._write(parts, sys.stdout.buffer)
            return
        try:
            with open(output, "wb") as file:  # noqa: PTH123
                self._write(parts, file)
        except OSError as exc:
            raise CommandError(f"{output} cannot be written: {exc.strerror}.") from exc

    def _write(self, parts: Iterator[FilePart], file: Any) -> None:
        shows = self.stderr.isatty()
        done, begun = 0, time.monotonic()
        first = last = ""
        for count, data, newest in parts:
            rest = memoryview(data)
            while rest:  # With PYTHONUNBUFFERED standard output may take a part.
                rest = rest[file.write(rest) :]
            done += count
            first, last = first or newest, newest or last
            if shows:
                self.stderr.write(f"\r{_bar(first, last)} {done} messages", ending="")
        seconds = time.monotonic() - begun
        said = f"{done} message{'' if done == 1 else 's'} read in {seconds:.1f} s."
        self.stderr.write(("\r" if shows else "") + said + " " * _BAR)


def _last(channel: str, lines: int) -> Iterator[dict[str, Any]]:
    """The last messages, oldest first."""
    yield from reversed(read(Search(channel), limit=max(1, lines)).messages[:lines])


def _follow(channel: str, lines: int, say: Callable[[str], object]) -> Iterator[Document]:
    """The last messages, oldest first, and then what is stored after them.

    `say` is told what was not heard, and what keeps it from reading on, once for as long as that lasts.

    Raises:
        Disconnected: Redis does not answer when it begins.
    """
    page = read(Search(channel), limit=max(1, lines))
    if page.watermark is None:
        raise Disconnected("Redis does not answer, so nobody knows up to where everything is stored.")
    yield from reversed(page.messages[:lines])
    after = page.messages[0]["position"] if page.messages else START
    said = ""
    with Watch(channel, after) as watch:
        while not stopping.asked():
            try:
                new, trouble = watch.take(_LOOK_SECONDS), watch.trouble
            except (Disconnected, PyMongoError, DatabaseError) as exc:
                new, trouble = None, one_line(exc)
                time.sleep(_LOOK_SECONDS)
            if trouble and said != (said := f"Waiting: {trouble}"):
                say(said)
            if isinstance(new, Told):
                if (line := as_line(new)) is not None:
                    say(line)
            elif new is not None:
                said = ""
                yield from new


def _as_json(message: dict[str, Any]) -> str:
    return json.dumps(row(message), ensure_ascii=False)


def _as_line(message: dict[str, Any]) -> str:
    """A payload is from a stranger: what steers a terminal is shown, not sent to it."""
    payload = message["message"]
    text = payload if isinstance(payload, str) else repr(payload)[2:-1]
    shown = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    return f"{message['received_at']:%Y-%m-%d %H:%M:%S}  {shown}"


def _bar(first: str, last: str) -> str:
    """How far in time: positions begin with milliseconds."""
    whole = time.time() * 1000 - int(first[:13] or 0)
    part = int(last[:13] or 0) - int(first[:13] or 0)
    filled = int(_BAR * min(1.0, part / whole)) if first and whole > 0 else 0
    return "[" + "#" * filled + "." * (_BAR - filled) + "]"


def _position(value: str) -> str:
    time = datetime.fromisoformat(value)
    return at(time.replace(tzinfo=time.tzinfo or UTC))
