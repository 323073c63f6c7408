"""`manage.py adopt-redis`: take a Redis database for this deployment's own."""

from typing import Any

import redis
from django.core.management.base import BaseCommand, CommandError

from leases_app import deployment
from relaycore.errors import RelayError
from relayproject.management.silence import require_silence


class Command(BaseCommand):
    """Puts the identity of PostgreSQL beside the streams, whatever stood there."""

    help = "Take the Redis database for this deployment's own, while everything else is stopped."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run."""
        require_silence()
        try:
            before = deployment.adopt_redis()
        except redis.RedisError as exc:
            raise CommandError(f"Redis does not answer: {exc}") from exc
        except RelayError as exc:
            raise CommandError(str(exc)) from exc
        if before == deployment.identity():
            self.stdout.write("The Redis database belongs to this deployment already.")
        else:
            self.stdout.write("The Redis database belongs to this deployment now. Start everything.")
