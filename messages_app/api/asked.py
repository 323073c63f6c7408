"""What a client asks of the history, read from the parameters of a request."""

from datetime import datetime
from typing import Final

from rest_framework.exceptions import ParseError

from access_app.permissions import Need
from messages_app.searching.history import PageCursor, Search, at
from relaybase.http import cursors
from relaybase.http.parameters import Parameters
from relaycore.position import is_position
from relaycore.rights import READ

SEE: Final = Need(READ, "messages_app.view_message")

PARAMETERS = ("channel", "since", "until", "contains", "order")

MOST_CHARACTERS = 1000
"""No text that is looked for needs more."""


def search(parameters: Parameters) -> Search:
    """What to look for.

    Raises:
        ParseError: something that was given cannot be meant.
    """
    channel = parameters.text("channel")
    if not channel:
        raise ParseError("Say which channel: ?channel=NAME.")
    contains = parameters.text("contains")
    if contains is not None and not 1 <= len(contains) <= MOST_CHARACTERS:
        raise ParseError(f"contains must have 1 to {MOST_CHARACTERS} characters.")
    return Search(
        channel,
        since=_position("since", parameters.time("since")),
        until=_position("until", parameters.time("until")),
        contains=contains,
        newest_first=parameters.one_of("order", ["desc", "asc"]) != "asc",
    )


def cursor(parameters: Parameters) -> PageCursor | None:
    """Where to go on; None at the beginning.

    Raises:
        ParseError: the API did not give out such a cursor.
    """
    given = parameters.text(cursors.PARAMETER)
    if given is None:
        return None
    side, _, position = cursors.decode(given).partition(" ")
    if side not in _SIDES or not is_position(position):
        raise cursors.bad_cursor()
    return PageCursor(position, back=side == _BEFORE)


def key(cursor: PageCursor | None) -> str | None:
    """The opposite of `cursor`."""
    return None if cursor is None else f"{_BEFORE if cursor.back else _AFTER} {cursor.position}"


_SIDES = _AFTER, _BEFORE = "after", "before"


def _position(name: str, time: datetime | None) -> str | None:
    try:
        return None if time is None else at(time)
    except ValueError as exc:
        raise ParseError(f"{name} must be a time from 1970 to 2286.") from exc
