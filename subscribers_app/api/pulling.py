"""`fetch`, `commit`, `ack`, `nack` and `extend`: what is asked, and what is answered, whoever asks."""

import functools
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol, TypeVar

from rest_framework.exceptions import NotFound, ParseError, PermissionDenied

from relaybase.http.parameters import Asked, Parameters
from relaybase.http.problems import Problem
from relaycore.delivering.cursor import Cursor
from relaycore.delivering.settings import (
    CURSOR,
    LEASE,
    LEAST_DEADLINE_SECONDS,
    MOST_DEADLINE_SECONDS,
    MOST_DELAY_SECONDS,
)
from relaycore.delivering.settling import Change
from relaycore.errors import CursorMoved, SubscriptionUnknown
from relaycore.rights import CONSUME
from subscribers_app.api import said
from subscribers_app.kinds import kind as kinds
from subscribers_app.pulling.asked import Given, SettingsOutdated, Wanted
from subscribers_app.pulling.desk import Desk
from subscribers_app.pulling.desks import desks
from subscribers_app.pulling.room import Place
from subscribers_app.pulling.saying import Said
from subscribers_app.remembering import KnownSubscription, RememberedSubscriptions

MOST_MESSAGES: Final = 10_000
MESSAGES: Final = 100
MOST_BYTES: Final = 16 << 20
BYTES: Final = 4 << 20
MOST_WAIT_SECONDS: Final = 20

PUSHED: Final = (
    "its messages are sent to its endpoint, and nobody fetches or settles them. Pause, seek, skip and "
    "redrive decide about them."
)
UNKNOWN: Final = "There is no such subscription."

Answer = TypeVar("Answer")
Work = Callable[[Desk, Mapping[str, Any]], Awaitable[Answer]]


class May(Protocol):
    """Whoever asks."""

    def __call__(self, right: str, channel: str | None = None) -> str | None:
        """Why he may not do this with the channel, or with none at all; None if he may."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request, of either kind.

    body:       decoded JSON
    until_gone: returns once the client has gone away
    """

    asked: Asked
    may: May
    body: Callable[[], Awaitable[Any]]
    until_gone: Callable[[], Awaitable[None]]


async def fetch(call: Call, name: str, place: Place) -> Given:
    """Messages from where the subscription stands, once what is said with it holds. The answer: `fetched`.

    place: what they take up. Whoever calls gives it back once they are sent, or cannot be
    """
    until: float | None = None
    word: Said | None = None
    settled: said.Results | None = None

    def hear(answer: Any) -> None:
        nonlocal settled
        settled = None if isinstance(answer, Cursor) else answer

    async def work(desk: Desk, given: Mapping[str, Any]) -> Given:
        nonlocal until, word
        seconds = _number(given, "wait_seconds", 0, MOST_WAIT_SECONDS, 0)
        now = time.monotonic()
        until = now + seconds if until is None else until
        wanted = Wanted(
            _whole(given, "max", 1, MOST_MESSAGES, MESSAGES),
            _whole(given, "max_bytes", 1, MOST_BYTES, BYTES),
            max(0.0, until - now),
            place,
            call.until_gone,
        )
        if others := [field for field, mode in said.WITH_FETCH.items() if mode != desk.known.mode]:
            _require_mode(desk.known, not any(field in given for field in others))
        if word is None or not word.holds:
            word = said.with_fetch(desk, given, hear)
        found = await _told(desk.fetch(wanted, word))
        desk.counted.handed_out(len(found.messages))
        if desk.known.mode == CURSOR:
            desk.counted.show((one["position"] for one in found.messages), found.position)
        return found if settled is None else replace(found, settled=settled)

    return await _at_the_desk(call, name, work, "max", "max_bytes", "wait_seconds", *said.WITH_FETCH)


async def commit(call: Call, name: str) -> dict[str, Any]:
    """Everything up to a position is done. Mode `cursor`."""

    async def work(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = {}

        def hear(cursor: Cursor) -> None:
            answer.update(position=cursor.position, generation=cursor.generation)

        await _told(desk.say(said.commit(desk, given, "position", hear)))
        return answer

    return await _at_the_desk(call, name, work, "position", "generation", mode=CURSOR)


async def ack(call: Call, name: str) -> dict[str, Any]:
    """Messages are done. Mode `lease`."""

    async def work(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
        return await _settle(desk, given, said.done)

    return await _at_the_desk(call, name, work, "tokens", mode=LEASE)


async def nack(call: Call, name: str) -> dict[str, Any]:
    """Messages are given back. Mode `lease`."""

    async def work(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
        seconds = _number(given, "delay_seconds", 0, MOST_DELAY_SECONDS, None)
        settings, delay = desk.known.settings, None if seconds is None else int(seconds * 1000)
        answer = await _settle(desk, given, lambda delivery, now: delivery.nack(settings, now, delay))
        desk.counted.nacked(sum(one["ok"] for one in answer["results"]))
        return answer

    return await _at_the_desk(call, name, work, "tokens", "delay_seconds", mode=LEASE)


async def extend(call: Call, name: str) -> dict[str, Any]:
    """Messages are needed for longer, from now on. Mode `lease`."""

    async def work(desk: Desk, given: Mapping[str, Any]) -> dict[str, Any]:
        seconds = _number(given, "seconds", LEAST_DEADLINE_SECONDS, MOST_DEADLINE_SECONDS, None)
        if seconds is None:
            raise ParseError("seconds must be given: how long the messages are needed, from now on.")
        settings, more = desk.known.settings, int(seconds * 1000)
        return await _settle(desk, given, lambda delivery, now: delivery.extend(settings, now, more))

    return await _at_the_desk(call, name, work, "tokens", "seconds", mode=LEASE)


# --- what all of them begin with -------------------------------------------------------------


async def _at_the_desk(call: Call, name: str, work: Work[Answer], *fields: str, mode: str = "") -> Answer:
    """What `work` comes to with the body, at the desk of the subscription as it is set now."""
    Parameters(call.asked)
    known = _require(call, await _subscription(name), mode)
    given = await call.body()
    if not isinstance(given, dict):
        raise ParseError("The body must be a JSON object.")
    if not given.keys() <= _set_of(fields):
        unknown = sorted(given.keys() - set(fields))
        raise ParseError(f"Unknown: {', '.join(map(repr, unknown[:5]))}. Known: {', '.join(fields)}.")
    while True:
        try:
            return await work(desks().of(known), given)
        except (SettingsOutdated, SubscriptionUnknown):
            # It was changed, or made anew under this name, and that is not remembered yet.
            now = await _subscriptions().find(name)
            if now is None or now == known:
                raise
            known = _require(call, now, mode)


@functools.lru_cache
def _set_of(fields: tuple[str, ...]) -> frozenset[str]:
    return frozenset(fields)


def _require(call: Call, known: KnownSubscription | None, mode: str) -> KnownSubscription:
    # 403 comes before 404: whoever may not consume is not told which subscriptions there are.
    if (refusal := call.may(CONSUME, None if known is None else known.channel)) is not None:
        raise PermissionDenied(refusal)
    if known is None:
        raise NotFound(UNKNOWN)
    if not kinds.of(known.kind).is_pulled:
        raise Problem(409, "wrong-kind", f"This subscription is of the kind {known.kind}: {PUSHED}")
    _require_mode(known, not mode or known.mode == mode)
    return known


def _require_mode(known: KnownSubscription, is_right: bool) -> None:
    if not is_right:
        other = (
            "commit moves its cursor" if known.mode == CURSOR else "ack, nack and extend settle its messages"
        )
        raise Problem(409, "wrong-mode", f"This subscription has the mode {known.mode}: {other}.")


async def _subscription(name: str) -> KnownSubscription | None:
    return _subscriptions().known(name) or await _subscriptions().find(name)


@functools.lru_cache(maxsize=1)
def _subscriptions() -> RememberedSubscriptions:
    return RememberedSubscriptions()


def _whole(given: Mapping[str, Any], name: str, least: int, most: int, otherwise: int) -> int:
    if name not in given:
        return otherwise
    value = given[name]
    if type(value) is not int or not least <= value <= most:
        raise ParseError(f"{name} must be a whole number from {least} to {most}.")
    return value


def _number(given: Mapping[str, Any], name: str, least: float, most: float, otherwise: float | None) -> Any:
    if name not in given:
        return otherwise
    value = given[name]
    if type(value) not in {int, float} or not least <= value <= most:
        raise ParseError(f"{name} must be a number of seconds from {least} to {most}.")
    return value


# --- answers ---------------------------------------------------------------------------------


async def _told(work: Awaitable[Answer]) -> Answer:
    """What it comes to."""
    try:
        return await work
    except CursorMoved as exc:
        raise Problem(
            409, "cursor-moved", str(exc), position=exc.position, generation=exc.generation
        ) from exc


async def _settle(desk: Desk, given: Mapping[str, Any], change: Change) -> dict[str, Any]:
    answer: dict[str, Any] = {}

    def hear(results: said.Results) -> None:
        answer["results"] = results

    await desk.say(said.settle(desk, [(said.tokens_of(given, "tokens"), change)], hear))
    return answer
