"""`manage.py publish`: publish a message, for those who have no Redis client at hand."""

import os
import sys
from typing import Any

import redis
from django.core.management.base import BaseCommand, CommandError, CommandParser

from relaybase.connections import shared_redis


class Command(BaseCommand):
    """Publishes the bytes as they were typed, or as they come from stdin."""

    requires_system_checks = ()  # It needs no database, and says nothing but its answer.
    help = "Publish TEXT on a Redis channel and print how many subscribers received it."

    def add_arguments(self, parser: CommandParser) -> None:
        """CHANNEL TEXT."""
        parser.add_argument("channel", metavar="CHANNEL")
        parser.add_argument("text", metavar="TEXT", help="the message; - reads it from stdin")

    def handle(self, *args: Any, channel: str, text: str, **options: Any) -> None:
        """Run."""
        # Arguments that are not UTF-8 come as surrogates; fsencode gives back the bytes.
        payload = sys.stdin.buffer.read() if text == "-" else os.fsencode(text)
        try:
            receivers = shared_redis().publish(os.fsencode(channel), payload)
        except redis.RedisError as exc:
            raise CommandError(f"Redis did not take the message: {exc}") from exc
        self.stdout.write(str(receivers))
        if not receivers:
            self.stderr.write("Nobody listened, so the message is gone. Is the channel ACTIVE?")
