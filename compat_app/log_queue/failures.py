"""Why something is refused, as this door says it: mostly 400, whatever it is."""

import logging
from typing import Final

from django.db import DatabaseError, InterfaceError
from pymongo.errors import PyMongoError
from redis import RedisError
from rest_framework.exceptions import ParseError

from relaybase.http.bodies import Refused
from relaybase.http.problems import of_server_behind
from relaycore.errors import ChannelUnknown, RelayError, SubscriptionUnknown

log = logging.getLogger(__name__)

NO_TOPIC: Final = "Topic does not exist."
UNEXPECTED: Final = "Something went wrong here. It stands in the log."


class Failure(Exception):
    """What was asked is refused; the text says why."""


_TEXTS: Final = (
    (ChannelUnknown, NO_TOPIC),
    (SubscriptionUnknown, "There is no such consumer any more."),
    ((DatabaseError, InterfaceError), "PostgreSQL does not answer. Try again in a few seconds."),
    (PyMongoError, "MongoDB does not answer. Try again in a few seconds."),
    (RedisError, "Redis does not answer. Try again in a few seconds."),
)


def text_of(exc: Exception) -> str:
    """What the client is told of an error. One that nobody expects stands in the log."""
    said = next((text for kinds, text in _TEXTS if isinstance(exc, kinds)), None)
    if said is None and (of_server := of_server_behind(exc)) is not None:
        said = str(of_server.detail)
    if said is None and isinstance(exc, ParseError):
        said = str(exc.detail)
    if said is None and isinstance(exc, (Failure, RelayError, Refused)):
        said = str(exc)
    if said is None:
        log.error("log queue: nobody expected this", exc_info=exc)
    return said or UNEXPECTED
