"""Which topic a producer or a consumer belongs to, from memory (`relaybase.postgres.remembering`).

That never changes. They go with their channel or subscription, and that changes the marks.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from channels_app.models import ChannelsMark
from compat_app.models import QueueConsumer, QueueProducer
from relaybase.postgres.remembering import Remembering
from subscribers_app.models import SubscriptionsMark

PRODUCER: Final = "producer"
CONSUMER: Final = "consumer"

Key = tuple[str, int]
"""Which of the two, and its id."""


@dataclass(frozen=True, slots=True)
class Known:
    """A producer or a consumer.

    channel:      of its topic
    subscription: the id of a consumer's; 0: it is a producer
    """

    id: int
    channel: str
    subscription: int = 0


class RememberedIds(Remembering[Key, Known]):
    """For one process."""

    subject: ClassVar[str] = "which producers and consumers there are"
    thread: ClassVar[str] = "queue-ids"

    async def find(self, kind: str, id: int) -> Known | None:
        """Who has this id, from memory if he is there; None: nobody.

        Raises:
            Disconnected: PostgreSQL does not say it.
        """
        return self.recall((kind, id)) or await self.learn((kind, id))

    def _read_mark(self) -> object:
        marks = (ChannelsMark, SubscriptionsMark)
        return [model.objects.values_list("mark", flat=True).first() for model in marks]

    def _read(self, keys: Sequence[Key]) -> dict[Key, Known]:
        found: dict[Key, Known] = {}
        producers = QueueProducer.objects.filter(pk__in=_ids(keys, PRODUCER))
        for id, channel in producers.values_list("pk", "channel__channel"):
            found[PRODUCER, id] = Known(id, channel)
        consumers = QueueConsumer.objects.filter(pk__in=_ids(keys, CONSUMER))
        columns = ("pk", "subscription__channel__channel", "subscription_id")
        for id, channel, subscription in consumers.values_list(*columns):
            found[CONSUMER, id] = Known(id, channel, subscription)
        return found


@functools.lru_cache(maxsize=1)
def ids() -> RememberedIds:
    """Those of this process."""
    return RememberedIds()


def _ids(keys: Sequence[Key], kind: str) -> list[int]:
    return [id for of, id in keys if of == kind]
