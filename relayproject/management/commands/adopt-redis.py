"""`manage.py adopt-redis`: take a Redis database for this deployment's own."""

from typing import Any

import redis
from django.core.management.base import BaseCommand, CommandError

from leases_app import deployment
from relaycore.errors import RelayError
from relayproject.management.silence import require_silence


class Command(BaseCommand):
    """Gives PostgreSQL and the Redis database a new identity, whatever stood in either."""

    help = "Take the Redis database for this deployment's own, while everything else is stopped."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run."""
        require_silence()
        try:
            deployment.adopt_redis()
        except redis.RedisError as exc:
            raise CommandError(f"Redis does not answer: {exc}") from exc
        except RelayError as exc:
            raise CommandError(str(exc)) from exc
        self.stdout.write("The Redis database belongs to this deployment now. Start everything.")
