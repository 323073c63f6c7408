"""The history of a channel, in pages, from either end and in both directions.

Everything is asked by position, which the index (channel, position) has in order: a page
costs the same wherever it is. Times become positions as well (`at`), since the first
thirteen digits of a position are Redis's clock when the message was put on the stream.
What a text is looked for in (`contains`) is read until the page is full; that may be all
of it, so it has a limit of time.
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import pymongo
from django.conf import settings
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import ExecutionTimeout, PyMongoError

from leases_app import deployment
from messages_app import expired
from messages_app.searching import watermark
from messages_app.searching.primary import session_after
from relaybase.mongo import reading
from relaycore.channels import partition_of
from relaycore.errors import SearchTooSlow
from relaycore.position import LAST_MILLISECOND, at_millisecond
from relaycore.storing import known
from relaycore.storing.expiring import NOTHING, Expired
from relaycore.times import to_milliseconds

MOST_PER_PAGE: Final = 1000

PAGE_SIZE: Final = 16 << 20
"""A page ends early once its payloads have this size together: 1,000 of 1 MiB are a gigabyte."""

SEARCH_SECONDS: Final = 5.0

_PING_SECONDS: Final = 2.0

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for.

    since, until: positions; from the one, to before the other
    contains:     a part of the text, as it is written; binary messages have no text
    """

    channel: str
    since: str | None = None
    until: str | None = None
    contains: str | None = None
    newest_first: bool = True


@dataclass(frozen=True, slots=True)
class PageCursor:
    """A place between two messages: after the message at `position`, going on, or before it, going back."""

    position: str
    back: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Messages in the order that was asked for.

    watermark: everything below this position is in MongoDB; None: unknown, Redis is away
    is_sure:   or is on record as missing. Else something has vanished, and is not on record yet
    next:      where the page after this one begins; None if this is the last one
    previous:  where the page before this one ends; None if this is the first one
    expired:   what retention has deleted of the channel, as it stood on record after the page was read
    """

    messages: list[Document]
    watermark: str | None
    is_sure: bool
    next: PageCursor | None
    previous: PageCursor | None
    expired: Expired = NOTHING


def read(
    search: Search,
    *,
    limit: int,
    cursor: PageCursor | None = None,
    projection: Mapping[str, Any] | None = None,
) -> Page:
    """At most `limit` messages, after the cursor or before it.

    projection: what MongoDB gives of each message, with at least `position` and `message`; None: all

    Without a watermark there is one page at most, and no way on: who followed one might pass a message that
    is not stored yet.

    Raises:
        Disconnected: there is no watermark, and more than one page; or MongoDB's answer would be an old one.
        pymongo.errors.PyMongoError: MongoDB cannot answer.
        SearchTooSlow: a text was not found within `SEARCH_SECONDS`.
        UnfitServer: the partitions, the secret or the Redis database are not this deployment's.
    """
    deployment.require_unless_away()
    # Before MongoDB is asked: see there.
    beside = watermark.ask(partition_of(search.channel, settings.RELAY_PARTITIONS))
    if beside is None and cursor is not None:
        raise watermark.unknown()
    mark, is_sure = (None, False) if beside is None else (known.watermark(beside), not known.lacks(beside))
    back = cursor is not None and cursor.back
    bounded, time = _bounded(search, cursor, mark), "" if beside is None else beside.operation_time
    with session_after(collection(), time) as session:
        found, more = _find(bounded, search.newest_first != back, limit, projection, session)
        # After the messages: whatever was missing among them stood on record before.
        gone = expired.read(reading.collection(expired.COLLECTION), search.channel, session)
    if beside is None and more:
        raise watermark.unknown()
    if back:
        found.reverse()
    # Behind a cursor there is what the page that gave it ended with.
    is_more_after, is_more_before = (True, more) if back else (more, cursor is not None)
    return Page(
        found,
        mark,
        is_sure,
        PageCursor(found[-1]["position"]) if found and is_more_after else None,
        PageCursor(found[0]["position"], back=True) if found and is_more_before else None,
        gone,
    )


def extent(search: Search, cursor: PageCursor | None, page: Page) -> tuple[str | None, str | None]:
    """From which position to which a page reaches; None: no bound. Neighbours meet at their cursor."""
    after, before = page.next and page.next.position, page.previous and page.previous.position
    if cursor is not None and cursor.back:
        after = cursor.position
    elif cursor is not None:
        before = cursor.position
    older, newer = (after, before) if search.newest_first else (before, after)
    return older or search.since, newer or search.until


def has_any(channel: str) -> bool:
    """Whether any message of it is stored. May raise `pymongo.errors.PyMongoError`."""
    return collection().find_one({"channel": channel}, {"_id": 1}) is not None


def at(time: datetime) -> str:
    """The first position that a message which was put on the stream at this time can have.

    Raises:
        ValueError: no message can: before 1970, or after 2286.
    """
    milliseconds = to_milliseconds(time)
    if not 0 <= milliseconds <= LAST_MILLISECOND:
        raise ValueError(f"No message is from {time.isoformat()}: before 1970, or after 2286.")
    return at_millisecond(milliseconds)


def _bounded(search: Search, cursor: PageCursor | None, mark: str | None) -> Search:
    """The search without what is before the cursor, and without what is above the watermark."""
    since, until = search.since, search.until
    above = cursor is not None and search.newest_first == cursor.back
    if cursor is not None and above:
        # The next possible position: digits end below ":".
        since = max(since or "", cursor.position + ":")
    elif cursor is not None:
        until = min(until or cursor.position, cursor.position)
    if mark is not None:
        until = min(until or mark, mark)
    return replace(search, since=since, until=until)


def _find(
    search: Search,
    newest_first: bool,
    limit: int,
    projection: Mapping[str, Any] | None,
    session: ClientSession,
) -> tuple[list[Document], bool]:
    """At most `limit` messages, and whether there are more."""
    asked = collection().find(_filter(search), projection, session=session)
    found = asked.sort("position", -1 if newest_first else 1)
    # One more than asked for shows whether there is a next page. All of them in one answer: of itself
    # MongoDB sends 101, and the rest when it is asked again.
    cursor = found.limit(limit + 1).batch_size(limit + 1)
    if search.contains is not None:
        cursor = cursor.max_time_ms(int(SEARCH_SECONDS * 1000))
    try:
        with pymongo.timeout(SEARCH_SECONDS + 0.5) if search.contains is not None else nullcontext():
            return fill(cursor, limit)
    except PyMongoError as exc:
        if (
            search.contains is None
            or not exc.timeout
            or not (isinstance(exc, ExecutionTimeout) or _answers())
        ):
            raise
        raise SearchTooSlow(
            f"Looking for the text took longer than {SEARCH_SECONDS:g} s. Say `since` and `until`."
        ) from exc
    finally:
        cursor.close()


def fill(found: Iterable[Document], limit: int) -> tuple[list[Document], bool]:
    """A page of at most so many messages and about `PAGE_SIZE`, and whether there are more."""
    messages: list[Document] = []
    size = 0
    for message in found:
        if len(messages) == limit or size >= PAGE_SIZE:
            return messages, True
        messages.append(message)
        size += len(message["message"])
    return messages, False


def _answers() -> bool:
    """Whether MongoDB is there: one that is busy with several searches may be late to give one up."""
    try:
        with pymongo.timeout(_PING_SECONDS):
            collection().database.client.admin.command("ping")
    except PyMongoError:
        return False
    return True


def _filter(search: Search) -> dict[str, Any]:
    wanted: dict[str, Any] = {"channel": search.channel}
    position = {"$gte": search.since, "$lt": search.until}
    if given := {operator: bound for operator, bound in position.items() if bound is not None}:
        wanted["position"] = given
    if search.contains is not None:
        wanted["message"] = {"$regex": re.escape(search.contains)}
    return wanted


def collection() -> Collection[Document]:
    """The stored messages, to read."""
    return reading.collection("messages")
