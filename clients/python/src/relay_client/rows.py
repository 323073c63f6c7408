"""What Relay tells, as typed rows. `raw` has the row as it came, with what a newer Relay may have added."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal, Protocol, Self, TypeVar

from relay_client.answers import Answer, read
from relay_client.errors import BadAnswer

Deduplicate = Literal["content", "every"] | Mapping[str, str]
"""Which messages are the same and stored once: equal texts, none, or equal values of `{"field": "id"}`."""

Raw = Mapping[str, Any]


class Unchanged:
    """The default of what may be None as well: it stays as it is."""

    def __repr__(self) -> str:
        return "UNCHANGED"


UNCHANGED: Final = Unchanged()


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel. `subscription_status` is "ACTIVE", "INACTIVE", or None if it is not listened to."""

    name: str
    subscription_status: str | None
    deduplicate: Deduplicate
    retention_seconds: int | None
    """None: messages are kept for ever."""
    listen: bool
    """What Redis publishes under this name is heard."""
    republish: bool
    """What is published by HTTP goes out to Redis' own subscribers too."""
    public: bool
    broadcast: str | None
    """The Socket.IO event by which every connected page gets it. None: by none."""
    why_not_heard: str | None
    created_at: datetime
    complete_since: datetime | None
    """Nothing was missed from here on. None: it is not heard, or a gap is open."""
    messages_stored: int | None
    """None: Redis does not answer."""
    last_message_at: datetime | None
    raw: Raw = field(repr=False, compare=False)
    tag: str | None = field(default=None, compare=False)
    """Of its settings, for `if_match`. None where it comes from a list."""

    @classmethod
    def of(cls, row: Raw) -> Self:
        """From the API's row."""
        return cls(
            name=row["channel"],
            subscription_status=row["subscription_status"],
            deduplicate=row["deduplicate"],
            retention_seconds=row["retention_seconds"],
            listen=row.get("listen", True),
            republish=row.get("republish", True),
            public=row.get("public", False),
            broadcast=row.get("broadcast"),
            why_not_heard=row.get("why_not_heard"),
            created_at=datetime.fromisoformat(row["created_at"]),
            complete_since=time_of(row.get("complete_since")),
            messages_stored=row.get("messages_stored"),
            last_message_at=time_of(row.get("last_message_at")),
            raw=row,
        )


@dataclass(frozen=True, slots=True)
class Started:
    """What became of many channels that were to be listened to at once."""

    started: Sequence[str]
    existing: Sequence[str]
    refused: Mapping[str, str]
    """Each one that was refused → why."""

    @classmethod
    def of(cls, row: Raw) -> Self:
        """From the API's answer."""
        return cls(
            started=tuple(row["started"]),
            existing=tuple(row["existing"]),
            refused={each["channel"]: each["detail"] for each in row["refused"]},
        )


@dataclass(frozen=True, slots=True)
class Gap:
    """A window in which a partition, or one channel of it, was not heard."""

    channel: str | None
    """None: every channel of the partition."""
    cause: str
    begins_at: datetime
    ends_at: datetime | None
    """None: it goes on."""
    missed_at_most: int | None
    """None: not known."""
    covered: bool
    """Another listener heard it all: nothing is missing."""
    raw: Raw = field(repr=False, compare=False)

    @classmethod
    def of(cls, row: Raw) -> Self:
        """From the API's row."""
        return cls(
            channel=row["channel"],
            cause=row["cause"],
            begins_at=datetime.fromisoformat(row["from"]),
            ends_at=time_of(row["to"]),
            missed_at_most=row["missed_at_most"],
            covered=row["covered"],
            raw=row,
        )

    def __str__(self) -> str:
        until = "now" if self.ends_at is None else self.ends_at
        count = "" if self.missed_at_most is None else f", at most {self.missed_at_most} messages"
        return f"what was published from {self.begins_at} to {until} was not heard ({self.cause}){count}"


@dataclass(frozen=True, slots=True)
class Lease:
    """What a message comes with that is given to one worker. `token`: for ack, nack and extend."""

    token: str
    attempt: int
    """So often it was handed out, this time included."""
    deadline_at: datetime
    """By Relay's clock: until then nobody else is given it."""

    @classmethod
    def of(cls, row: Raw) -> Self:
        """From the API's row."""
        return cls(row["token"], row["attempt"], datetime.fromisoformat(row["deadline_at"]))


@dataclass(frozen=True, slots=True)
class Message:
    """A stored message. Its text is not in its repr."""

    id: str
    channel: str
    text: str = field(repr=False)
    """As the API gives it: base64 if `encoding` says so."""
    encoding: str
    received_at: datetime
    position: str
    """Grows with each message of a channel."""
    attributes: Mapping[str, str] = field(repr=False)
    content_type: str | None
    produced_by: str | None
    """The name of the token that published it; None: it was heard."""
    raw: Raw = field(repr=False, compare=False)
    lease: Lease | None = None
    """Where a subscription has leased it out."""

    @property
    def payload(self) -> bytes:
        """What was published, byte for byte."""
        return base64.b64decode(self.text) if self.encoding == "base64" else self.text.encode()

    @classmethod
    def of(cls, row: Raw) -> Self:
        """From the API's row."""
        return cls(
            id=row["id"],
            channel=row["channel"],
            text=row["message"],
            encoding=row["encoding"],
            received_at=datetime.fromisoformat(row["received_at"]),
            position=row["position"],
            attributes=row.get("attributes") or {},
            content_type=row.get("content_type") or None,
            produced_by=row.get("produced_by") or None,
            raw=row,
            lease=None if row.get("delivery") is None else Lease.of(row["delivery"]),
        )


@dataclass(frozen=True, slots=True)
class Page:
    """A page of messages, and whether something may be missing from its range."""

    messages: Sequence[Message]
    complete: bool
    """Everything that was published in the range was heard, and is stored."""
    gaps: Sequence[Gap]
    watermark: str | None
    """Below this position nothing is missing. None: Relay does not know."""
    raw: Raw = field(repr=False, compare=False)

    @classmethod
    def of(cls, row: Raw) -> Self:
        """From the API's answer."""
        return cls(
            messages=tuple(map(Message.of, row["results"])),
            complete=row["complete"],
            gaps=tuple(map(Gap.of, row["gaps"])),
            watermark=row["watermark"],
            raw=row,
        )


class _Row(Protocol):
    @classmethod
    def of(cls, row: Raw) -> Self: ...


Row = TypeVar("Row", bound=_Row)


def as_row(made: type[Row], said: Any) -> Row:
    """What a row says.

    Raises:
        BadAnswer: it is not such a row.
    """
    try:
        return made.of(said)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise BadAnswer(f"The answer is not the {made.__name__.lower()} that was expected: {exc!r}") from None


def rows_of(made: type[Row], page: Any) -> list[Row]:
    """The rows of a page.

    Raises:
        BadAnswer: it is none.
    """
    rows = page.get("results") if isinstance(page, dict) else None
    if not isinstance(rows, list):
        raise BadAnswer("The answer has no results: is this the address of Relay?")
    return [as_row(made, row) for row in rows]


def channel_of(answer: Answer) -> Channel:
    """The channel that is answered, with its tag.

    Raises:
        BadAnswer: it is none.
    """
    return replace(as_row(Channel, read(answer)), tag=answer.headers.get("etag"))


def time_of(text: str | None) -> datetime | None:
    """The time that a row says, if it says one."""
    return None if text is None else datetime.fromisoformat(text)
