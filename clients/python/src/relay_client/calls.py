"""The requests to Relay, as values. No I/O."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from relay_client.errors import BadAnswer
from relay_client.rows import UNCHANGED, Deduplicate, Unchanged

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
EVENTS: Final = "text/event-stream"

Confirm = Literal["stored"]
"""What the answer to a publish waits for: MongoDB has it."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request. `path` is what follows `/api/v1`, with its parameters."""

    method: str
    path: str
    content: bytes | None = field(default=None, repr=False)
    content_type: str = ""
    if_match: str | None = None
    """Nothing is changed unless this is still the tag of what is there."""
    accept: str = ""
    last_event_id: str = ""
    """What comes is wanted from behind the event with this id on."""

    @property
    def headers(self) -> dict[str, str]:
        """Those that belong to this request alone."""
        named = {
            "Content-Type": self.content_type,
            "If-Match": self.if_match,
            "Accept": self.accept,
            "Last-Event-ID": self.last_event_id,
        }
        return {name: value for name, value in named.items() if value}

    @property
    def may_be_repeated(self) -> bool:
        """Whether doing it twice is doing it once."""
        return self.method == "GET"


def quoted(name: str) -> str:
    """A channel's name as one segment of an address.

    Dots are not quoted as a rule, but on the way these two would be taken for steps in the path.
    """
    return quote(name, safe="") if name not in {".", ".."} else name.replace(".", "%2E")


def publish(channel: str, lines: bytes, confirm: Confirm | None = None) -> Call:
    """The messages of `lines` (NDJSON) for a channel."""
    return Call(
        "POST", with_parameters(f"/channels/{quoted(channel)}/messages", confirm=confirm), lines, NDJSON
    )


def create_channel(
    channel: str,
    *,
    listen: bool,
    deduplicate: Deduplicate | None,
    retention_seconds: int | None,
    republish: bool,
    public: bool,
    broadcast: str | None,
) -> Call:
    """A channel of its own. What is as Relay has it by default is left out."""
    body: dict[str, Any] = {"channel": channel} | _kept(deduplicate, retention_seconds)
    if listen:
        body["listen"] = True
    if not republish:
        body["republish"] = False
    if public:
        body["public"] = True
    if broadcast:
        body["broadcast"] = broadcast
    return sending("POST", "/channels", body)


def start_listening(
    channel: str,
    *,
    deduplicate: Deduplicate | None,
    retention_seconds: int | None,
    wait_seconds: float | None,
) -> Call:
    """A channel that is listened to; the answer may wait until it is heard."""
    body = {"channel": channel} | _kept(deduplicate, retention_seconds)
    return sending("POST", with_parameters("/start-listening", wait=wait_seconds), body)


def start_listening_to_all(
    channels: list[str], *, deduplicate: Deduplicate | None, retention_seconds: int | None
) -> Call:
    """Many at once."""
    return sending("POST", "/start-listening", {"channels": channels} | _kept(deduplicate, retention_seconds))


def change_channel(
    channel: str,
    *,
    listen: bool | Unchanged = UNCHANGED,
    deduplicate: Deduplicate | Unchanged = UNCHANGED,
    retention_seconds: int | Unchanged | None = UNCHANGED,
    republish: bool | Unchanged = UNCHANGED,
    public: bool | Unchanged = UNCHANGED,
    broadcast: str | Unchanged | None = UNCHANGED,
    if_match: str | None = None,
) -> Call:
    """What is given, and nothing else."""
    wanted = {
        "listen": listen,
        "deduplicate": deduplicate,
        "retention_seconds": retention_seconds,
        "republish": republish,
        "public": public,
        "broadcast": broadcast,
    }
    body = {name: value for name, value in wanted.items() if not isinstance(value, Unchanged)}
    return replace(sending("PATCH", f"/channels/{quoted(channel)}", body), if_match=if_match)


def delete_channel(channel: str, *, cascade: bool, if_match: str | None) -> Call:
    """Away with it; what is stored of it stays."""
    path = with_parameters(f"/channels/{quoted(channel)}", cascade="true" if cascade else None)
    return Call("DELETE", path, if_match=if_match)


def stop_listening(channel: str) -> Call:
    """As deleting it."""
    return Call("DELETE", f"/stop-listening/{quoted(channel)}")


def channel(name: str) -> Call:
    """One channel."""
    return Call("GET", f"/channels/{quoted(name)}")


def channels(*, search: str | None, status: str | None, page_size: int | None) -> Call:
    """The first page of all channels."""
    return Call("GET", with_parameters("/channels", search=search, status=status, limit=page_size))


def message(key: str) -> Call:
    """One message."""
    return Call("GET", f"/messages/{quote(key, safe='')}")


def messages(
    channel: str,
    *,
    order: str,
    since: datetime | None,
    until: datetime | None,
    contains: str | None,
    page_size: int | None,
) -> Call:
    """The first page of a history."""
    parameters = {
        "order": order,
        "since": iso(since),
        "until": iso(until),
        "contains": contains,
        "limit": page_size,
    }
    return Call("GET", with_parameters("/messages", channel=channel, **parameters))


def following(call: Call, page: Any) -> Call | None:
    """The same call for the page after this one; None: it was the last.

    Only the parameters of the link count: behind a proxy its host may be another, and a key goes to none
    but the one that was given.

    Raises:
        BadAnswer: the link is none.
    """
    link = page.get("next") if isinstance(page, dict) else None
    if not isinstance(link, str):
        return None
    try:
        parameters = parse_qs(urlsplit(link).query, keep_blank_values=True)
    except ValueError:
        raise BadAnswer("The link to the next page is none: is this the address of Relay?") from None
    return Call("GET", f"{urlsplit(call.path).path}?{urlencode(parameters, doseq=True)}")


def _kept(deduplicate: Deduplicate | None, retention_seconds: int | None) -> dict[str, Any]:
    """What is not given is left out, so that Relay's own defaults hold."""
    body: dict[str, Any] = {}
    if deduplicate is not None:
        body["deduplicate"] = deduplicate
    if retention_seconds is not None:
        body["retention_seconds"] = retention_seconds
    return body


def sending(method: str, path: str, body: Mapping[str, Any]) -> Call:
    """A call with JSON in it."""
    return Call(method, path, json.dumps(body, default=dict).encode(), JSON)


def with_parameters(path: str, **parameters: object) -> str:
    """The path with those that are given."""
    given = {name: value for name, value in parameters.items() if value is not None}
    return f"{path}?{urlencode(given, doseq=True)}" if given else path


def iso(time: datetime | None) -> str | None:
    """As RFC 3339 has it.

    Raises:
        ValueError: nobody knows which time that is.
    """
    if time is None:
        return None
    if time.tzinfo is None:
        raise ValueError("A time needs a time zone: datetime.now(UTC)")
    return time.isoformat()
