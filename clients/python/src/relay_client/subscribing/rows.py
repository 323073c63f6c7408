"""What Relay tells about subscriptions, as typed rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self

from relay_client.answers import Answer, read
from relay_client.errors import BadAnswer
from relay_client.rows import Message, Raw, as_row, rows_of


@dataclass(frozen=True, slots=True)
class Lag:
    """What is not done yet. `age_seconds` is that of the oldest of it; None: there is none."""

    messages: int
    is_exact: bool
    """Else there may be more than were counted, or fewer, with a filter."""
    age_seconds: float | None

    @classmethod
    def of(cls, row: Raw) -> Self:
        """From the API's row."""
        return cls(row["messages"], row["exact"], row["age_seconds"])


@dataclass(frozen=True, slots=True)
class Subscription:
    """A named reader of a channel. `raw` has the row as it came, with what a newer Relay may have added."""

    name: str
    channel: str
    kind: str
    mode: str
    """`cursor`: one reader; `lease`: many workers share it."""
    state: str
    reason: str | None
    """Why it is paused, if somebody said so."""
    filter: Mapping[str, Any] | None
    filter_scope: str | None
    order: str | Mapping[str, str] | None
    delay_seconds: int
    ack_deadline_seconds: int | None
    """So long a worker has for a message. None: nothing is leased."""
    max_deliveries: int | None
    """After so many attempts a message is a dead letter. None: never."""
    max_outstanding: int | None
    position: str
    """Everything up to here is done, on its way, or dead."""
    lag: Lag | None
    """None: it could not be learnt in time."""
    raw: Raw = field(repr=False, compare=False)
    tag: str | None = field(default=None, compare=False)
    """Of its settings, for `if_match`. None where it comes from a list."""

    @classmethod
    def of(cls, row: Raw) -> Self:
        """From the API's row."""
        return cls(
            name=row["name"],
            channel=row["channel"],
            kind=row.get("kind", "pull"),
            mode=row["mode"],
            state=row["state"],
            reason=row.get("reason"),
            filter=row.get("filter"),
            filter_scope=row.get("filter_scope"),
            order=row.get("order"),
            delay_seconds=row.get("delay_seconds") or 0,
            ack_deadline_seconds=row.get("ack_deadline_seconds"),
            max_deliveries=row.get("max_deliveries"),
            max_outstanding=row.get("max_outstanding"),
            position=row["position"],
            lag=None if row.get("lag") is None else Lag.of(row["lag"]),
            raw=row,
        )


@dataclass(frozen=True, slots=True)
class Skipped:
    """Messages that nobody was given, since retention had deleted them: at most `count`.

    They stood above `after`, up to `upto`.
    """

    after: str
    upto: str
    count: int | None

    @classmethod
    def of(cls, row: Raw) -> Self:
        """From the API's row."""
        return cls(row["from"], row["to"], row["count"])

    def __str__(self) -> str:
        count = "messages" if self.count is None else f"at most {self.count} messages"
        return f"{count} above {self.after}, up to {self.upto}, were deleted before anybody was given them"


@dataclass(frozen=True, slots=True)
class Fetched:
    """Messages, and up to where that is everything. `position`: to commit, in mode `cursor`."""

    messages: Sequence[Message]
    position: str
    generation: int
    """Another one after each seek."""
    skipped: Skipped | None
    is_active: bool
    """Else it is paused."""
    settled: Sequence["Settled"] = ()
    """What became of each token that went with it."""

    @classmethod
    def of(cls, row: Raw) -> Self:
        """From the API's answer."""
        missed = row["skipped"]
        messages = tuple(map(Message.of, row["messages"]))
        if not all(isinstance(one, str) for one in (row["position"], *(each.position for each in messages))):
            raise TypeError("a position is text")
        return cls(
            messages=messages,
            position=row["position"],
            generation=row["generation"],
            skipped=None if missed is None else Skipped.of(missed),
            is_active=row.get("state", "active") == "active",
            settled=[Settled.of(one) for one in row.get("settled") or ()],
        )


@dataclass(frozen=True, slots=True)
class Committed:
    """Where the cursor stands."""

    position: str
    generation: int

    @classmethod
    def of(cls, row: Raw) -> Self:
        """From the API's answer."""
        return cls(row["position"], row["generation"])


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a token. `is_ok`: it was in time; else `error` says why not."""

    token: str
    is_ok: bool
    error: str | None

    @classmethod
    def of(cls, row: Raw) -> Self:
        """From the API's row."""
        return cls(row["token"], row["ok"] is True, row["error"])


@dataclass(frozen=True, slots=True)
class Sought:
    """Where a cursor went, or would go, and how many messages lie between."""

    origin: str
    to: str
    messages: int
    is_exact: bool

    @classmethod
    def of(cls, row: Raw) -> Self:
        """From the API's answer."""
        return cls(row["from"], row["to"], row["messages"], row["exact"])


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that is handed out no more. `id`: of the message; `is_expired`: it is not stored any more."""

    id: str
    position: str
    attempts: int
    """So often it was handed out."""
    why: str
    died_at: datetime
    is_expired: bool
    raw: Raw = field(repr=False, compare=False)

    @classmethod
    def of(cls, row: Raw) -> Self:
        """From the API's row."""
        return cls(
            id=row["id"],
            position=row["position"],
            attempts=row["attempts"],
            why=row["why"],
            died_at=datetime.fromisoformat(row["died_at"]),
            is_expired=row["expired"],
            raw=row,
        )


@dataclass(frozen=True, slots=True)
class Done:
    """So many dead letters were handed out again or let go; not those `expired`, whose message is gone."""

    messages: int
    expired: int

    @classmethod
    def of(cls, row: Raw) -> Self:
        """From the API's answer."""
        return cls(row["messages"], row.get("expired", 0))


@dataclass(frozen=True, slots=True)
class NotGiven:
    """Messages that a subscription was never given, or is given no more, and why (`cause`)."""

    cause: str
    why: str | None
    """What a dead letter died of."""
    after: str | None
    """They stood above this position; None: it is one message,"""
    upto: str
    """up to this one."""
    messages: int | None
    """At most so many. None: it is not known."""
    at: datetime
    raw: Raw = field(repr=False, compare=False)

    @classmethod
    def of(cls, row: Raw) -> Self:
        """From the API's row."""
        return cls(
            cause=row["cause"],
            why=row["why"],
            after=row["after"],
            upto=row["upto"],
            messages=row["messages"],
            at=datetime.fromisoformat(row["at"]),
            raw=row,
        )


def settled_of(said: Any, tokens: Sequence[str]) -> list[Settled]:
    """What became of each of these tokens, in their order.

    Raises:
        BadAnswer: it does not say so.
    """
    return of_tokens(rows_of(Settled, said), tokens)


def of_tokens(found: Sequence[Settled], tokens: Sequence[str]) -> list[Settled]:
    """These, which are about these tokens, in their order.

    Raises:
        BadAnswer: they are not.
    """
    if [one.token for one in found] != list(tokens):
        raise BadAnswer("The answer is not about the tokens that were sent: is this the address of Relay?")
    return list(found)


def subscription_of(answer: Answer) -> Subscription:
    """The subscription that is answered, with its tag.

    Raises:
        BadAnswer: it is none.
    """
    return replace(as_row(Subscription, read(answer)), tag=answer.headers.get("etag"))
