"""What followers are told in the step that acknowledges (`relaycore.following.news`)."""

from collections.abc import Collection
from dataclasses import dataclass

from leases_app import deployment
from relaycore.following import news


@dataclass(frozen=True, slots=True)
class Announcer:
    """Seals the news of one partition: `key` is its seal, `channel` where they are published."""

    channel: str
    key: bytes

    @classmethod
    def of(cls, partition: int) -> "Announcer":
        """That of this deployment.

        Raises:
            django.db.Error: PostgreSQL does not answer.
        """
        return cls(deployment.news_channel(partition), deployment.seal_key(partition))

    def stored(self, upto: str, channels: Collection[bytes]) -> bytes:
        """What to say when entries up to the one of this id are stored; empty: they brought nothing new."""
        return news.stored(upto, channels, self.key) if channels else b""

    def moved(self, upto: str) -> bytes:
        """What to say when the bound moves to the entry of this id for another reason."""
        return news.moved(upto, self.key)
