"""What a client asks for, read from what it says: strictly, since what is not understood would be missed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rest_framework.exceptions import ParseError

from live.asking import EARLIEST, MOST_CHANNELS, SCOPE_ALONE
from live.wanting import Wants
from relaybase.http.parameters import is_text
from relaycore.filtering.policy import BODY, SCOPES
from relaycore.live import ids
from relaycore.live.ids import EventId
from relaycore.position import START, is_position


@dataclass(frozen=True, slots=True)
class Join:
    """A channel, after what, and which messages: as `live.viewer.Wanted`."""

    channel: str
    after: EventId | str | None
    wants: Wants | None = None


@dataclass(frozen=True, slots=True)
class Auth:
    """What a client says when it connects: the key of a token, and what it was watching before.

    pid, offset: what it says by itself (`relaycore.live.broadcasts.place`)
    """

    token: str | None
    joins: tuple[Join, ...]
    pid: object = None
    offset: object = None


def auth(data: object) -> Auth:
    """What is said in the handshake; None: nothing.

    Raises:
        ParseError, BadEventId, BadFilter: it cannot be meant.
    """
    said = _members(data or {}, "auth", "token", "join", beside=_BY_ITSELF)
    token, wanted = said.get("token"), said.get("join") or []
    if token is not None and not (isinstance(token, str) and token.isascii() and token):
        raise ParseError("auth.token must be the key of a token.")
    if not isinstance(wanted, list) or len(wanted) > MOST_CHANNELS:
        raise ParseError(f"auth.join must be a list of {{channel, after, filter}}, {MOST_CHANNELS} at most.")
    joins = tuple(map(_join, wanted))
    if len({one.channel for one in joins}) < len(joins):
        raise ParseError("auth.join names a channel twice.")
    return Auth(token, joins, said.get("pid"), said.get("offset"))


def join(data: list[Any]) -> Join:
    """What comes with the event `join`.

    Raises:
        ParseError, BadEventId, BadFilter: it cannot be meant.
    """
    return _join(_only(data, "join"))


def leave(data: list[Any]) -> str:
    """The channel that comes with the event `leave`.

    Raises:
        ParseError: there is none.
    """
    return _channel(_members(_only(data, "leave"), "leave", "channel"))


def unknown(name: str) -> ParseError:
    """There is no such event."""
    return ParseError(f"There is no event {name[:100]!r}: a client sends join and leave.")


def require_room(joined: int) -> None:
    """One more channel, to so many.

    Raises:
        ParseError: there are as many as there may be.
    """
    if joined >= MOST_CHANNELS:
        raise ParseError(f"A socket joins {MOST_CHANNELS} channels at most. Leave one, or open another one.")


def _join(data: object) -> Join:
    said = _members(data, "join", "channel", "after", "filter", "filter_scope")
    return Join(_channel(said), _after(said.get("after")), _wants(said))


def _after(after: object) -> EventId | str | None:
    if after is None:
        return None
    if not isinstance(after, str):
        raise ParseError("after must be a position that you were given, or earliest.")
    if after == EARLIEST:
        return START
    # The position of a row does as well, as long as the archive is the same one.
    return after if is_position(after) else ids.parse(after)


def _wants(said: Mapping[str, Any]) -> Wants | None:
    policy, scope = said.get("filter"), said.get("filter_scope")
    if scope is not None and scope not in SCOPES:
        raise ParseError(f"filter_scope must be one of: {', '.join(SCOPES)}.")
    if policy is None:
        if scope is not None:
            raise ParseError(SCOPE_ALONE)
        return None
    return Wants(policy, scope or BODY)


def _channel(said: Mapping[str, Any]) -> str:
    channel = said.get("channel")
    if not isinstance(channel, str) or not channel or not is_text(channel):
        raise ParseError("channel must be the name of a channel.")
    return channel


def _only(data: list[Any], name: str) -> object:
    if len(data) != 1:
        raise ParseError(f"{name} takes one object.")
    return data[0]


def _members(data: object, name: str, *known: str, beside: Collection[str] = ()) -> Mapping[str, Any]:
    if not isinstance(data, dict) or not data.keys() <= {*known, *beside}:
        raise ParseError(f"{name} takes an object with {_AND.join(known)}, and nothing else.")
    return data


_BY_ITSELF: Final = ("pid", "offset")
"""What the client puts beside what the page says."""

_AND: Final = " and "
