"""What goes to every socket: by which event, with what, and where a page goes on that comes again.

The name
    A page listens for it with `socket.on(NAME, …)`, and never joins. So it must be none that pages hear
    already: not one of Socket.IO's own, which clients of any age refuse or take for something else, and not
    one of those that pages here are told what they have joined by.

Coming again
    A page that joins nothing remembers no place. Its client does, from 4.6 on: it was given a `pid` when it
    was connected, and says it when it comes again, with an `offset`: the last text that stood at the end of
    an event. Relay's `pid` is where the page stood when it was connected, and behind messages there comes an
    event `POSITION` with nothing but where it stands then. So whatever process it comes to knows what it has
    had, and nothing is kept for it. The offset may be of another event: of a `message` to a page that has
    joined as well. Then nothing is known, and the page goes on with what comes from now on.
"""

import base64
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from relaycore.alerting.acknowledging import is_by_people
from relaycore.errors import BadBroadcast, BadEventId
from relaycore.live import ids
from relaycore.live.ids import EventId

MOST_CHARACTERS: Final = 50

POSITION: Final = "position"
"""The event with where a page stands: for its client, which says it when it comes again."""

OURS: Final = frozenset(
    {
        # Told to pages.
        *("message", "joined", "left", "caught-up", "gap", "reset", "closing", POSITION),
        *("join", "leave"),  # Said by them.
    }
)
"""Events of Relay's own on a socket."""

_OF_SOCKETIO: Final = frozenset(
    {
        *("connect", "connecting", "connect_error", "connect_timeout", "connect_failed", "disconnect"),
        *("disconnecting", "reconnect", "reconnecting", "reconnect_attempt", "reconnect_error"),
        *("reconnect_failed", "error", "ping", "pong", "open", "close", "newListener", "removeListener"),
    }
)

_NAME: Final = re.compile(rf"[A-Za-z0-9](?:[A-Za-z0-9._:/-]{{0,{MOST_CHARACTERS - 1}}})")


def check_broadcast(name: str, *, is_public: bool) -> str:
    """Return `name`, if a channel may go to every socket by this event. Empty: it does not.

    Raises:
        BadBroadcast: with a sentence that says what to change.
    """
    if not name:
        return name
    check_event(name)
    if not is_public:
        raise BadBroadcast(
            "What goes to every socket goes to those without a token too: a channel with `broadcast` has to "
            "be `public`. Set both, or clear `broadcast`."
        )
    return name


def check_event(name: str) -> str:
    """Return `name`, if an event may be called so.

    Raises:
        BadBroadcast: with a sentence that says what to change.
    """
    if not _NAME.fullmatch(name):
        raise BadBroadcast(
            f"The name of an event has 1 to {MOST_CHARACTERS} letters, digits, or . _ : / - (ASCII), and "
            "begins with a letter or a digit."
        )
    if name in OURS:
        raise BadBroadcast(f'"{name}" is an event of Relay\'s own on a socket. Choose another name.')
    if name in _OF_SOCKETIO:
        raise BadBroadcast(f'"{name}" is an event of Socket.IO itself. Choose another name.')
    return name


def goes_to_everybody(attributes: Mapping[str, str] | None) -> bool:
    """Whether a message of such a channel is shown to every socket, by its attributes.

    Pages that never joined know one event, and take whatever comes by it for an alert. What somebody does
    with an alert is none: it is for those who read the channel, attributes and all. Whoever publishes such
    a message is not asked for: that he is not believed elsewhere makes an alert of it no more.
    """
    return not is_by_people(attributes)


def argument(message: str | bytes) -> str:
    """The one argument of the event, as JSON: the message, if it is JSON; else its text, or its base64."""
    if isinstance(message, bytes):
        return _encode(base64.b64encode(message).decode())
    try:
        json.loads(message, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return _encode(message)
    return message


def offset_of(id: str) -> str:
    """How a page's client is told the id of where it stands."""
    return _OURS_IS + id


def place(pid: object, offset: object) -> EventId | None:
    """Where a page had come, by what its client says; None: that is not known.

    Of a client that was at another server before, both may be anything.
    """
    began = _read(pid)
    if began is None or offset is None:
        return began
    if not isinstance(offset, str) or not offset.startswith(_OURS_IS):
        return None
    last = _read(offset.removeprefix(_OURS_IS))
    if last is None:
        return None
    # One of before the archive was made anew, or divided otherwise: the page has been given nothing since.
    is_same = (last.epoch, last.generation) == (began.epoch, began.generation)
    return last if is_same else began


def _read(text: object) -> EventId | None:
    try:
        return ids.parse(text) if isinstance(text, str) else None
    except BadEventId:
        return None


def _refuse(constant: str) -> Any:
    raise ValueError(constant)  # NaN and the like, which JSON does not have.


_OURS_IS: Final = "all."
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
