"""`POST /api/v1/channels/NAME/messages`: what is asked, and what is answered, whoever asks."""

import asyncio
import functools
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from pymongo.errors import PyMongoError

from channels_app.remembering import KnownChannel
from messages_app.publishing.door import Door, Receipt, channel, door
from messages_app.publishing.limits import Allowed
from messages_app.publishing.taking import Body, Producer
from messages_app.searching import arriving
from relaybase.http.details import CONTENT_TYPE, problem_details
from relaybase.http.hot import Answer
from relaybase.http.parameters import Asked, Parameters
from relaybase.http.problems import Problem
from relaycore.errors import NotTaken, RelayError
from relaycore.outbound import hops
from relaycore.publishing.parsing import FORMS
from relaycore.publishing.queue import Share
from relaycore.publishing.standing import Awaited, Seen, Stored, Unstored, judge

CONFIRMED: Final = ["stored", "replicated"]

CONFIRM_SECONDS: Final = 10.0
"""So long an answer waits until everything is stored, if it is asked to."""

_KEY: Final = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?")

NO_ROOM: Final = "More is being published than this process takes up at once. Try again in a few seconds."

GONE: Final = "It was on the stream, and Redis has lost some of it since. Send it again, with the same keys."

Note = Callable[[int], object]
Header = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Posted:
    """A request to publish, of either kind.

    asked:  for its parameters
    header: a header by its name in lower case; None if it is not there
    length: of the body, as announced; None if it is not
    body:   takes it in, and tells of each piece how many bytes it has
    """

    asked: Asked
    producer: Producer
    header: Header
    length: int | None
    body: Callable[[Note | None], Awaitable[bytes]]


async def publish(posted: Posted, name: str) -> Answer:
    """What is answered. Raises what a view may raise."""
    confirm = Parameters(posted.asked, "confirm").one_of("confirm", CONFIRMED)
    known, way_in = await channel(name), door()
    try:
        receipt, allowed = await _publish(way_in, posted, known, is_replicated=confirm == "replicated")
    except Exception:
        way_in.count(known, posted.producer, None)
        raise
    way_in.count(known, posted.producer, None if receipt is None else receipt.taken)
    if receipt is None:
        return _too_many(allowed)
    awaited = receipt.awaited
    data: dict[str, Any] = {"ids": [id.hex() for id in awaited.ids]}
    if confirm == "stored" and (stored := await _stored(receipt.partition, awaited)) is not None:
        return Answer(data | stored, 201, allowed.headers)
    return Answer(data, 202, allowed.headers)


async def _publish(
    way_in: Door, posted: Posted, known: KnownChannel, *, is_replicated: bool
) -> tuple[Receipt | None, Allowed]:
    """What became of it, None if these are too many messages; and what may come after it."""
    media_type, is_packed, key = _form(posted.header), _is_packed(posted.header), _key(posted.header)
    came = hops.came(posted.header(hops.HEADER))
    share = way_in.share()
    try:
        # What was announced is taken up before it comes, and what was not as it comes.
        _grow(share, posted.length or 0)
        note = None if posted.length is not None else functools.partial(_grow, share)
        body = Body(media_type, await posted.body(note), is_packed, key, came)
        taken = await way_in.take(body, known, posted.producer)
        _grow(share, sum(map(len, taken.documents)) - share.size)
        allowed = await way_in.allow(known, posted.producer, len(taken.documents))
        if allowed.seconds:
            return None, allowed
        return await way_in.publish(known, taken, is_replicated=is_replicated), allowed
    finally:
        share.give_back()


def _grow(share: Share, size: int) -> None:
    if size > 0 and not share.grow(size):
        raise NotTaken(NO_ROOM)


def _too_many(allowed: Allowed) -> Answer:
    text = f"Too many messages at once. Try again in {allowed.seconds} s."
    headers = {**allowed.headers, "Retry-After": str(allowed.seconds)}
    return Answer(problem_details(429, text, "too-many-messages"), 429, headers, CONTENT_TYPE)


async def _stored(partition: int, awaited: Awaited) -> dict[str, Any] | None:
    """Where the messages are stored; None if nobody can say it within `CONFIRM_SECONDS`.

    Raises:
        NotTaken: some of them are nowhere.
    """
    match judge(awaited, await _seen(partition, awaited)):
        case Stored(positions, duplicates):
            return {"positions": positions, "duplicates": duplicates}
        case Unstored.GONE:
            raise NotTaken(GONE)
    return None


async def _seen(partition: int, awaited: Awaited) -> Seen:
    """What is stored of it, once all of it should be."""
    deadline = time.monotonic() + CONFIRM_SECONDS
    horizon = await arriving.wait_until_stored(partition, awaited.stood.last, CONFIRM_SECONDS)
    if horizon is None:
        return Seen()
    try:
        found = arriving.find(awaited.ids, horizon)
        return await asyncio.wait_for(found, max(0.0, deadline - time.monotonic()))
    except (TimeoutError, RelayError, PyMongoError):
        return Seen()  # They stand on the stream all the same.


def _form(header: Header) -> str:
    sent = header("content-type") or ""
    media_type = sent.partition(";")[0].strip().lower()
    if media_type not in FORMS:
        forms = ", ".join(FORMS)
        raise Problem(415, "unsupported-media-type", f"A body of this type is not taken. It may be {forms}.")
    return media_type


def _is_packed(header: Header) -> bool:
    encoding = (header("content-encoding") or "").strip().lower()
    if encoding not in {"", "identity", "gzip"}:
        raise Problem(415, "unsupported-encoding", "A body may be packed by gzip only.")
    return encoding == "gzip"


def _key(header: Header) -> str | None:
    sent = header("idempotency-key")
    if sent is None:
        return None
    # One that is empty was meant to be something: without it a retry would double.
    if not _KEY.fullmatch(sent := sent.strip(" \t")):
        raise Problem(
            400, "bad-idempotency-key", "Idempotency-Key must be 1 to 255 visible ASCII characters."
        )
    return sent
