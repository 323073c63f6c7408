"""Where the broker of tasks is, Redis or RabbitMQ: `CELERY_BROKER_URL`, in the settings that Celery knows."""

import re
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from relaybase.redis import address as redis

_RABBITMQ: Final = ("amqp", "amqps", "pyamqp")
_OPTIONS: Final = {"heartbeat": "[0-9]{1,5}", "connect_timeout": "[0-9]{1,5}", "login_method": "[A-Z0-9-]+"}


def celery_settings(url: str) -> dict[str, Any]:
    """`broker_url`, `broker_transport_options`, and `broker_use_ssl` if it is Redis over TLS.

    Several brokers of RabbitMQ may have semicolons between.

    Raises:
        ValueError: what is wrong with it, as the end of a sentence, without any password.
    """
    scheme = url.partition("://")[0]
    if scheme in _RABBITMQ:
        for one in url.split(";"):
            _require_rabbitmq(one)
        return {"broker_url": url, "broker_transport_options": {}}
    if scheme not in {"redis", "rediss", "unix"}:
        raise ValueError(f"must be a URL such as {redis.SHAPE}, or amqp://user:password@host:5672//")
    return redis.for_celery(url)


def _require_rabbitmq(url: str) -> None:
    try:
        place = urlsplit(url)
        place.port  # noqa: B018 -- it is read here
    except ValueError:
        raise ValueError("must have a port from 1 to 65535, and %2F for / in a password") from None
    if place.scheme not in _RABBITMQ or not place.hostname:
        raise ValueError("must be a URL such as amqp://user:password@host:5672//")
    for name, value in parse_qsl(place.query, keep_blank_values=True):
        if name not in _OPTIONS:
            raise ValueError(
                f"has the option {name}, which Relay does not take: it takes {', '.join(_OPTIONS)}"
            )
        if not re.fullmatch(_OPTIONS[name], value):
            raise ValueError(f"has a value for the option {name} that cannot be used")
