"""What a client asks for, from the address, the query and the headers; refused before anything is sent."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.http import QueryDict
from rest_framework.exceptions import ParseError

from live.sse.frames import FORMS, JSON
from live.wanting import Wants
from relaybase.http.parameters import Parameters
from relaycore.delivering.beginning import at_time
from relaycore.filtering.policy import BODY, SCOPES
from relaycore.live import ids
from relaycore.live.ids import EventId
from relaycore.position import START
from relaycore.publishing import strict

MOST_CHANNELS: Final = 50
MOST_WAIT_SECONDS: Final = 30.0

EARLIEST: Final = "earliest"

SCOPE_ALONE: Final = "filter_scope says what a filter is about. Give filter as well."

_KNOWN: Final = ("since", "last_event_id", "filter", "filter_scope", "limit", "format", "wait_seconds")
_LIMIT: Final = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked.

    after:        as `live.viewer.Wanted`
    wait_seconds: of a long poll; None: it is a stream
    """

    channels: tuple[str, ...]
    after: EventId | str | None
    wants: Wants | None
    limit: int | None
    form: str
    wait_seconds: float | None

    @property
    def is_done(self) -> bool:
        """Whether it has had all that it wants, by the id that it sends."""
        return isinstance(self.after, EventId) and self.after.is_end and self.limit is not None


@dataclass(frozen=True, slots=True)
class _Query:
    query_params: QueryDict


def is_poll(headers: Mapping[bytes, bytes], query: QueryDict) -> bool:
    """Whether one answer of JSON is wanted, and no stream."""
    accept = headers.get(b"accept", b"")
    return b"text/event-stream" not in accept and (b"application/json" in accept or "wait_seconds" in query)


def read(query: QueryDict, headers: Mapping[bytes, bytes], name: str | None) -> Asked:
    """What is asked. `name`: of the one channel in the address.

    Raises:
        ParseError, BadEventId, BadFilter: it cannot be meant.
    """
    channels = (name,) if name is not None else _channels(query)
    single = query.copy()
    single.pop("channel", None)
    parameters = Parameters(_Query(single if name is None else query), *_KNOWN)
    # A client that was here before says so in a header, whatever its address says.
    sent = headers.get(b"last-event-id", b"").decode("utf-8", "replace") or parameters.text("last_event_id")
    return Asked(
        channels,
        _after(sent, parameters),
        _wants(parameters),
        _limit(parameters),
        # `?format=` chooses the renderer elsewhere, so it is let through whatever it says.
        parameters.one_of("format", list(FORMS)) or JSON,
        _wait_seconds(parameters, is_poll(headers, query)),
    )


def _channels(query: QueryDict) -> tuple[str, ...]:
    channels = tuple(dict.fromkeys(query.getlist("channel")))
    if not 1 <= len(channels) <= MOST_CHANNELS or "" in channels:
        raise ParseError(f"Say which channels: ?channel=NAME, from 1 to {MOST_CHANNELS} of them.")
    return channels


def _after(sent: str | None, parameters: Parameters) -> EventId | str | None:
    since = parameters.text("since")
    if sent == EARLIEST or (not sent and since == EARLIEST):
        return START
    if sent:
        return ids.parse(sent)
    moment = parameters.time("since")
    return None if moment is None else at_time(moment).above


def _wants(parameters: Parameters) -> Wants | None:
    scope = parameters.one_of("filter_scope", list(SCOPES))
    if (text := parameters.text("filter")) is None:
        if scope is not None:
            raise ParseError(SCOPE_ALONE)
        return None
    try:
        policy: Any = strict.decoder.decode(text)
    except strict.NameTwice as exc:
        raise ParseError(f"filter has {exc}.") from exc
    except (ValueError, RecursionError) as exc:
        raise ParseError('filter must be JSON, such as {"level": ["error"]}.') from exc
    return Wants(policy, scope or BODY)


def _limit(parameters: Parameters) -> int | None:
    if (text := parameters.text("limit")) is None:
        return None
    if not _LIMIT.fullmatch(text):
        raise ParseError("limit must be a whole number from 1 on.")
    return int(text)


def _wait_seconds(parameters: Parameters, is_for_poll: bool) -> float | None:
    if is_for_poll:
        return parameters.seconds("wait_seconds", most=MOST_WAIT_SECONDS)
    if parameters.text("wait_seconds") is not None:
        raise ParseError("wait_seconds is for one answer of JSON. Accept: application/json.")
    return None
