"""`manage.py publish`: publish messages, for those who have no client at hand."""

import os
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import redis
from django.core.management.base import BaseCommand, CommandError, CommandParser

from relaybase.connections import shared_redis
from relaycore.errors import RelayError
from relaycore.publishing.parsing import MOST_BYTES, parse
from relayproject.posting.poster import NotPublished, Poster
from relayproject.posting.progress import Progress

KEY = "RELAY_TOKEN"
_LINES = "application/x-ndjson"


class Command(BaseCommand):
    """Publishes the bytes as they were typed, as they come from stdin, or the messages of a file."""

    requires_system_checks = ()  # It needs no database, and says nothing but its answer.
    help = (
        "Publish TEXT on a channel of Redis and print how many subscribers received it; or with --http at "
        f"Relay, with the token in the variable {KEY}, and print how many messages it has taken."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """CHANNEL TEXT, or CHANNEL --file FILE."""
        parser.add_argument("channel", metavar="CHANNEL")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("text", metavar="TEXT", nargs="?", help="the message; - reads it from stdin")
        what.add_argument(
            "--file", help='a message a line, such as {"message": "hello"} (docs/api.md); - reads stdin'
        )
        parser.add_argument("--http", metavar="URL", help="where Relay is, such as https://relay.example.org")
        parser.add_argument(
            "--idempotency-key",
            metavar="KEY",
            help="with --http: what was published before with the same KEY is stored once, not twice",
        )
        parser.add_argument(
            "--expect-listener", action="store_true", help="fail if nobody received a message"
        )

    def handle(
        self,
        *args: Any,
        channel: str,
        text: str | None,
        file: str | None,
        http: str | None,
        idempotency_key: str | None,
        expect_listener: bool,
        **options: Any,
    ) -> None:
        """Run."""
        if http is None:
            if idempotency_key is not None:
                raise CommandError("--idempotency-key is of no use without --http: Redis knows no such keys.")
            lonely = self._by_redis(os.fsencode(channel), _payloads(text, file), by_one=file is None)
            if lonely and expect_listener:
                raise CommandError(f"{lonely} messages were heard by nobody. Is the channel ACTIVE?")
            return
        if expect_listener:
            raise CommandError("--expect-listener is of no use with --http: what is taken is kept.")
        if not (key := os.environ.get(KEY, "")):
            raise CommandError(f"Set {KEY} to the key of a token that may publish on this channel.")
        try:
            poster = Poster(http, channel, key, idempotency_key)
            if file is None:
                taken = poster.post(_typed(text), "application/octet-stream")
            else:
                taken = _post_file(poster, file)
        except NotPublished as exc:
            raise CommandError(str(exc)) from exc
        self.stdout.write(str(taken))

    def _by_redis(self, channel: bytes, payloads: Iterator[bytes], *, by_one: bool) -> int:
        """Publish them, and print how many received it, or how many they were; how many nobody received."""
        lonely = published = receivers = 0
        try:
            for payload in payloads:
                receivers = int(shared_redis().publish(channel, payload))
                published, lonely = published + 1, lonely + (not receivers)
        except redis.RedisError as exc:
            raise CommandError(f"Redis did not take the message: {exc}") from exc
        self.stdout.write(str(receivers if by_one else published))
        if lonely:
            self.stderr.write("Nobody listened, so the message is gone. Is the channel ACTIVE?")
        return lonely


def _typed(text: str | None) -> bytes:
    # Arguments that are not UTF-8 come as surrogates; fsencode gives back the bytes.
    return sys.stdin.buffer.read() if text == "-" else os.fsencode(text or "")


def _payloads(text: str | None, file: str | None) -> Iterator[bytes]:
    if file is None:
        yield _typed(text)
        return
    with _opened(file) as lines, Progress(lines) as progress:
        for number, line in enumerate(lines, 1):
            if line.isspace():
                continue
            try:
                (message,) = parse(_LINES, line, MOST_BYTES)
            except RelayError as exc:
                raise CommandError(f"Line {number}: {exc}") from exc
            yield message.payload
            progress.add(1, len(line))


def _post_file(poster: Poster, file: str) -> int:
    with _opened(file) as lines, Progress(lines) as progress:
        for part in poster.parts(lines):
            taken = poster.post(part.body, _LINES, part.numbers)
            progress.add(taken, len(part.body))
        return progress.messages


def _opened(file: str) -> Any:
    if file == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return Path(file).open("rb")
    except OSError as exc:
        raise CommandError(f"{file} cannot be read: {exc.strerror}") from exc
