"""The requests about subscriptions, as values. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal, TypedDict

from relay_client.calls import Call, iso, quoted, sending, with_parameters
from relay_client.rows import UNCHANGED

Start = Literal["earliest", "latest"] | datetime | Mapping[str, str]
"""Where to begin: at all there is, behind it, at a time, or right above `{"position": …}`."""

Filter = Mapping[str, Any]
"""Which messages are wanted, as a filter policy of SNS."""


class ByField(TypedDict):
    """For each value of this field of a JSON message one after another."""

    field: str


Order = Literal["none", "channel"] | ByField
Scope = Literal["body", "attributes"]
Mode = Literal["cursor", "lease"]
Verb = Literal["ack", "nack", "extend"]


def create(name: str, channel: str, mode: Mode, start: Start, **settings: object) -> Call:
    """A subscription of kind `pull`. What is not given is left out, so that Relay's defaults hold."""
    body = {"name": name, "channel": channel, "kind": "pull", "mode": mode, "start": place(start)}
    return sending("POST", "/subscriptions", body | _given(settings))


def change(name: str, *, if_match: str | None = None, **settings: object) -> Call:
    """What is given, and nothing else."""
    return replace(sending("PATCH", _path(name), _given(settings)), if_match=if_match)


def delete(name: str, *, if_match: str | None = None) -> Call:
    """Away with it."""
    return Call("DELETE", _path(name), if_match=if_match)


def get(name: str) -> Call:
    """One of them."""
    return Call("GET", _path(name))


def all_of(
    *,
    channel: str | None = None,
    mode: str | None = None,
    state: str | None = None,
    search: str | None = None,
    page_size: int | None = None,
) -> Call:
    """The first page of all."""
    wanted = {"channel": channel, "mode": mode, "state": state, "search": search, "limit": page_size}
    return Call("GET", with_parameters("/subscriptions", **wanted))


def seek(name: str, to: Start, *, dry_run: bool) -> Call:
    """Go on from elsewhere."""
    return sending("POST", _path(name, "seek"), {"to": place(to)} | ({"dry_run": True} if dry_run else {}))


def size(name: str) -> Call:
    """How much is not done."""
    return Call("GET", _path(name, "size"))


def pause(name: str, reason: str) -> Call:
    """Hand out nothing."""
    return sending("POST", _path(name, "pause"), {"reason": reason} if reason else {})


def resume(name: str, start: Start | None) -> Call:
    """Hand out again; None: from where it stands."""
    return sending("POST", _path(name, "resume"), {"from": "here" if start is None else place(start)})


def dead_letters(name: str, *, page_size: int | None) -> Call:
    """The first page of them."""
    return Call("GET", with_parameters(_path(name, "dead-letters"), limit=page_size))


def of_dead_letters(
    verb: Literal["redrive", "drop"],
    name: str,
    *,
    ids: Sequence[str] | None,
    since: datetime | None,
    dry_run: bool,
) -> Call:
    """Hand dead letters out again, or let them go: these, those since then, or all.

    Raises:
        ValueError: it is said twice which.
    """
    if ids is not None and since is not None:
        raise ValueError("Either ids or since; without both all dead letters are meant.")
    which: dict[str, Any] = {"all": True}
    if ids is not None:
        which = {"ids": list(ids)}
    elif since is not None:
        which = {"since": iso(since)}
    return sending(
        "POST", _path(name, f"dead-letters/{verb}"), which | ({"dry_run": True} if dry_run else {})
    )


def skip(name: str, id: str) -> Call:
    """Let one message go."""
    return sending("POST", _path(name, "skip"), {"id": id})


def undelivered(name: str, *, since: datetime | None, page_size: int | None) -> Call:
    """The first page of what nobody was given, or is given no more."""
    return Call("GET", with_parameters(_path(name, "undelivered"), since=iso(since), limit=page_size))


def fetch(
    name: str,
    *,
    messages: int | None,
    size: int | None,
    seconds: float | None,
    commit: str | None = None,
    generation: int | None = None,
    ack: Sequence[str] = (),
) -> Call:
    """Messages from where it stands, once what is done of those before holds."""
    wanted: dict[str, Any] = {"max": messages, "max_bytes": size, "wait_seconds": seconds}
    wanted |= {"commit": commit, "generation": generation, "ack": list(ack) or None}
    body = {name: value for name, value in wanted.items() if value is not None}
    return sending("POST", _path(name, "fetch"), body)


def commit(name: str, position: str, generation: int | None) -> Call:
    """Everything up to here is done."""
    body: dict[str, Any] = {"position": position}
    if generation is not None:
        body["generation"] = generation
    return sending("POST", _path(name, "commit"), body)


def settle(verb: Verb, name: str, tokens: Sequence[str], **seconds: float | None) -> Call:
    """What becomes of leased messages."""
    given = {name: value for name, value in seconds.items() if value is not None}
    return sending("POST", _path(name, verb), {"tokens": list(tokens), **given})


def place(start: Start) -> object:
    """Where to begin, as JSON has it.

    Raises:
        ValueError: it is a time without a zone.
    """
    if isinstance(start, datetime):
        return {"time": iso(start)}
    return start if isinstance(start, str) else dict(start)


def _given(settings: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in settings.items() if value is not UNCHANGED}


def _path(name: str, action: str = "") -> str:
    return f"/subscriptions/{quoted(name)}{action and '/'}{action}"
