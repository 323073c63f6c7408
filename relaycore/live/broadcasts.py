"""By which name of an event a channel goes to every socket: `broadcast` of the channel.

A page listens for it with `socket.on(NAME, …)`, and never joins. So the name must be none that pages hear
already: not one of Socket.IO's own, which clients of any age refuse or take for something else, and not one
of those that pages here are told what they have joined by.
"""

import re
from typing import Final

from relaycore.errors import BadBroadcast

MOST_CHARACTERS: Final = 50

OURS: Final = frozenset(
    {
        *("message", "joined", "left", "caught-up", "gap", "reset", "closing"),  # Told to pages.
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
