"""Real sender processes, one after another."""

from pathlib import Path
from typing import ClassVar

from django.conf import settings

from tests.integration.forked import TTL_SECONDS, Forked

__all__ = ["TTL_SECONDS", "Sender"]


class Sender(Forked):
    """A sender of shard 0. `rule`: which one of `forked_sender` it breaks."""

    PROGRAM: ClassVar = "tests.integration.sending.forked_sender"

    def __init__(self, log: Path, rule: str = "careful", **environment: str) -> None:
        own = {
            "RELAY_SENDER_SHARDS": "1",
            "RELAY_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
            "RELAY_ENCRYPTION_KEYS": settings.RELAY_ENCRYPTION_KEYS[0],
        }
        super().__init__(log, rule, **{**own, **environment})
