"""Asking and administering, for threads."""

import ssl
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, Self

import httpx2

from relay_client import calls
from relay_client.answers import Answer, read
from relay_client.calls import Call
from relay_client.connections import Address, Connection, Patience
from relay_client.rows import (
    UNCHANGED,
    Channel,
    Deduplicate,
    Message,
    Page,
    Started,
    Unchanged,
    as_row,
    channel_of,
    rows_of,
)
from relay_client.streams import Streams
from relay_client.subscribing.calls import Scope
from relay_client.subscribing.subscriptions import Subscriptions
from relay_client.watching.live import Live
from relay_client.watching.rows import Told
from relay_client.watching.trail import Since, Trail


class Client:
    """Channels, messages and subscriptions of one Relay. Threads may share it.

    `url`: of the site, such as https://relay.example.org. `key`: of a token. What only reads is asked again
    for `retry_seconds` while Relay is away or asks to wait. Every method raises `RelayError`s.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        timeout_seconds: float = 30.0,
        retry_seconds: float = 30.0,
        verify: ssl.SSLContext | bool = True,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self._address = Address(url, key)
        self._connection = Connection(
            self._address, timeout_seconds=timeout_seconds, verify=verify, transport=transport
        )
        self._retry_seconds = retry_seconds
        self._verify, self._transport = verify, transport
        self.channels = Channels(self)
        self.messages = Messages(self)
        self.subscriptions = Subscriptions(self)

    def answer(self, call: Call) -> Answer:
        """The answer to any call."""
        return self._connection.ask(call, Patience(self._retry_seconds))

    def ask(self, call: Call) -> Any:
        """The JSON of it."""
        return read(self.answer(call))

    def pages(self, call: Call) -> Iterator[Any]:
        """The JSON of this page and of all that follow, each when it is wanted."""
        following: Call | None = call
        while following is not None:
            page = self.ask(following)
            yield page
            following = calls.following(following, page)

    def live(
        self,
        *channels: str,
        after: str | None = None,
        since: Since | None = None,
        filter: Mapping[str, Any] | None = None,
        filter_scope: Scope | None = None,
        told: Told | None = None,
        silence_seconds: float = 45.0,
    ) -> Live:
        """What is stored of these channels (up to 50), as it is stored.

        It begins behind `after`, the `id` of an earlier one, else at `since`, else now. `filter`: a filter
        policy, of the body unless `filter_scope` is "attributes". `told`: is called with what comes besides
        messages; without it what is not as it should be stands in the log. Relay says something each 15 s:
        a connection that brings nothing for `silence_seconds` is opened anew.
        """
        trail = Trail(channels, after=after, since=since, filter=filter, filter_scope=filter_scope)
        streams = Streams(
            self._address, silence_seconds=silence_seconds, verify=self._verify, transport=self._transport
        )
        return Live(trail, streams, told)

    def close(self) -> None:
        """Let go of the connections."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self._address.site!r})"


class Channels:
    """The channels: `client.channels`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def create(
        self,
        channel: str,
        *,
        listen: bool = False,
        deduplicate: Deduplicate | None = None,
        retention_seconds: int | None = None,
        republish: bool = True,
        public: bool = False,
        broadcast: str | None = None,
    ) -> Channel:
        """Make a channel; `Conflict` if it is there.

        Without `deduplicate` every publish is stored, or, where Redis is listened to, equal texts once.
        `broadcast`: the Socket.IO event by which every connected page gets it; only with `public`.
        """
        call = calls.create_channel(
            channel,
            listen=listen,
            deduplicate=deduplicate,
            retention_seconds=retention_seconds,
            republish=republish,
            public=public,
            broadcast=broadcast,
        )
        return channel_of(self._client.answer(call))

    def start_listening(
        self,
        channel: str,
        *,
        deduplicate: Deduplicate | None = None,
        retention_seconds: int | None = None,
        wait_seconds: float | None = None,
    ) -> Channel:
        """Make a channel that is fed by the Pub/Sub channel of this name; `Conflict` if it is there.

        `wait_seconds`, up to 30: the answer comes once it is heard, or after that time.
        """
        call = calls.start_listening(
            channel,
            deduplicate=deduplicate,
            retention_seconds=retention_seconds,
            wait_seconds=wait_seconds,
        )
        return channel_of(self._client.answer(call))

    def start_listening_to_all(
        self,
        channels: Iterable[str],
        *,
        deduplicate: Deduplicate | None = None,
        retention_seconds: int | None = None,
    ) -> Started:
        """The same for up to 1,000; which were there already, and which were refused, is in the answer."""
        call = calls.start_listening_to_all(
            list(channels), deduplicate=deduplicate, retention_seconds=retention_seconds
        )
        return as_row(Started, self._client.ask(call))

    def get(self, channel: str) -> Channel:
        """One of them; `NotFound` if there is none of this name."""
        return channel_of(self._client.answer(calls.channel(channel)))

    def list(
        self,
        *,
        search: str | None = None,
        status: Literal["ACTIVE", "INACTIVE"] | None = None,
        page_size: int | None = None,
    ) -> Iterator[Channel]:
        """All of them by name, or those with `search` in it; asked for page by page."""
        for page in self._client.pages(calls.channels(search=search, status=status, page_size=page_size)):
            yield from rows_of(Channel, page)

    def change(
        self,
        channel: str,
        *,
        listen: bool | Unchanged = UNCHANGED,
        deduplicate: Deduplicate | Unchanged = UNCHANGED,
        retention_seconds: int | Unchanged | None = UNCHANGED,
        republish: bool | Unchanged = UNCHANGED,
        public: bool | Unchanged = UNCHANGED,
        broadcast: str | Unchanged | None = UNCHANGED,
        if_match: str | None = None,
    ) -> Channel:
        """Change what is given. `retention_seconds=None` keeps messages for ever.

        `if_match`, the `tag` of the channel as it was read: `ChangedMeanwhile` if it is not so any more.
        """
        call = calls.change_channel(
            channel,
            listen=listen,
            deduplicate=deduplicate,
            retention_seconds=retention_seconds,
            republish=republish,
            public=public,
            broadcast=broadcast,
            if_match=if_match,
        )
        return channel_of(self._client.answer(call))

    def delete(self, channel: str, *, cascade: bool = False, if_match: str | None = None) -> None:
        """Delete the channel, `cascade`: and its subscriptions, else `Conflict` if it has any.

        What is stored of it stays.
        """
        self._client.ask(calls.delete_channel(channel, cascade=cascade, if_match=if_match))

    def stop_listening(self, channel: str) -> None:
        """Delete the channel. What is stored of it stays."""
        self._client.ask(calls.stop_listening(channel))


class Messages:
    """What is stored: `client.messages`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def get(self, id: str) -> Message:
        """One message by its id; `NotFound` if there is none."""
        return as_row(Message, self._client.ask(calls.message(id)))

    def search(
        self,
        channel: str,
        *,
        order: Literal["asc", "desc"] = "desc",
        since: datetime | None = None,
        until: datetime | None = None,
        contains: str | None = None,
        page_size: int | None = None,
    ) -> Iterator[Message]:
        """The messages of a channel, newest first unless `order` is "asc"; asked for page by page."""
        pages = self.pages(
            channel, order=order, since=since, until=until, contains=contains, page_size=page_size
        )
        for page in pages:
            yield from page.messages

    def pages(
        self,
        channel: str,
        *,
        order: Literal["asc", "desc"] = "desc",
        since: datetime | None = None,
        until: datetime | None = None,
        contains: str | None = None,
        page_size: int | None = None,
    ) -> Iterator[Page]:
        """The same in pages, each of which says whether something may be missing from it."""
        call = calls.messages(
            channel, order=order, since=since, until=until, contains=contains, page_size=page_size
        )
        for page in self._client.pages(call):
            yield as_row(Page, page)
