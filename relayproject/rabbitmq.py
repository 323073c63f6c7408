"""What endless tasks need where Celery's broker is RabbitMQ (`CELERY_BROKER_URL=amqp://...`).

There a worker takes as many messages beyond its slots as it has slots; Celery can turn that off for Redis
only. A message that waits behind an endless task is unacknowledged for as long, and after half an hour
RabbitMQ closes the channel: the worker then takes no task any more, until its loops end. So the queues say
that a message may wait for years, which RabbitMQ hears from 3.12 on.
"""

import logging
import re
from typing import Any, Final

log = logging.getLogger(__name__)

QUEUE_ARGUMENTS: Final = {
    "x-consumer-timeout": 10 * 365 * 86_400_000,  # Milliseconds.
    "x-message-ttl": 60_000,  # What no worker takes is proposed again.
}
"""Constant: RabbitMQ refuses a queue that is there with other arguments."""

_SINCE: Final = (3, 12)


def is_meant(broker_url: str) -> bool:
    """Whether the broker is RabbitMQ, or speaks its protocol."""
    return broker_url.startswith(("amqp", "pyamqp"))


def warn_if_old(connection: Any) -> None:
    """Say so if the RabbitMQ behind a connection of kombu does not hear what the queues say."""
    version = str(connection.connection.server_properties.get("version", ""))
    if (numbers := re.match(r"(\d+)\.(\d+)", version)) and tuple(map(int, numbers.groups())) < _SINCE:
        log.warning(
            "RabbitMQ %s ends workers with endless tasks: set consumer_timeout = %d in its rabbitmq.conf, or "
            "take RabbitMQ 3.12 or later.",
            version,
            QUEUE_ARGUMENTS["x-consumer-timeout"],
        )
