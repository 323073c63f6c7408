"""Why something is refused, as that API says it: a status, and a bare text."""

import logging
from typing import Final

from django.db import DatabaseError, InterfaceError
from rest_framework.exceptions import ParseError

from relaybase.http.bodies import Refused
from relaybase.http.problems import of_server_behind
from relaycore.alerting.labelled.refused import LabelError, SilenceUnknown
from relaycore.errors import Disconnected, Looped, NotTaken, RelayError

log = logging.getLogger(__name__)

UNEXPECTED: Final = "Something went wrong here. It stands in the log."
AWAY: Final = "PostgreSQL does not answer. Try again in a few seconds."


class Failure(Exception):
    """What was asked is refused; the text says why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def answer_to(exc: Exception) -> tuple[int, str]:
    """Status and text. What nobody expected stands in the log."""
    if (of_server := of_server_behind(exc)) is not None:
        return of_server.status_code, str(of_server.detail)
    found: tuple[int, str]
    match exc:
        case Failure() | Refused():
            found = exc.status, str(exc)
        case SilenceUnknown():
            found = 404, str(exc)
        case LabelError():
            found = 400, str(exc)
        case ParseError():
            found = 400, str(exc.detail)
        case DatabaseError() | InterfaceError():
            found = 503, AWAY
        case Disconnected() | NotTaken():
            found = 503, str(exc)
        case Looped():
            found = 508, str(exc)
        case RelayError():
            found = 500, str(exc)
        case _:
            log.error("alertmanager: nobody expected this", exc_info=exc)
            found = 500, UNEXPECTED
    return found
