"""What can go wrong, as one tree.

RelayError
├── ApiError            Relay answered, with an error: `status`, `type`, `title`, `detail`, `help`, `errors`
│   ├── BadRequest      400
│   │   └── BadMessage  400, one message of the request is to blame: `index`
│   ├── Unauthorized    401
│   ├── Forbidden       403
│   ├── NotFound        404
│   ├── Conflict        409
│   │   └── CursorMoved 409, a subscription does not stand where a commit took it to: `position`, `generation`
│   ├── ChangedMeanwhile 412
│   ├── TooLarge        413, with the `index` of the message if one is to blame
│   ├── Throttled       429: `retry_after_seconds`
│   └── Unavailable     502, 503, 504: `retry_after_seconds`
├── Unreachable         no answer: no connection, cut off, too slow
├── BadAnswer           an answer, but none that Relay gives
├── BadWebhook          a request that is none of Relay's, or not signed, or not in time: `reason`
├── Undelivered         what became of a message that was sent: `reason`, `may_be_stored`, `idempotency_key`
├── BufferFull          there is no room for another message
├── TimedOut            a flush or a close took too long
└── Closed              a producer, consumer or live stream is closed, or was made in another process

No error has a key or the text of a message in it.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal


class RelayError(Exception):
    """Everything that this library raises, but for arguments that cannot be meant (ValueError, TypeError)."""


class ApiError(RelayError):
    """Relay answered with an error.

    `type` is for programs (`urn:relay:problem:…`, or `about:blank`), `detail` for people; `help` is an
    address to read on, or "". `errors` has sentences by field, if the body is to blame.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        type: str = "about:blank",
        title: str = "",
        help: str = "",
        errors: Any = None,
    ) -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail
        self.type = type
        self.title = title
        self.help = help
        self.errors = errors

    def __str__(self) -> str:
        kind = "" if self.type == "about:blank" else f"({self.type})"
        return f"{' '.join(filter(None, (str(self.status), self.title, kind)))}: {self.detail}"


class BadRequest(ApiError):
    """400: the request cannot be meant."""


class BadMessage(BadRequest):
    """400: one message is to blame, and none of its request is stored. `index`: which one, from 0."""

    index: int = 0


class Unauthorized(ApiError):
    """401: there is no such key, or it holds no longer."""


class Forbidden(ApiError):
    """403: the token may not do that."""


class NotFound(ApiError):
    """404: there is no such thing."""


class Conflict(ApiError):
    """409: it is there already, or is in the way."""


class CursorMoved(Conflict):
    """409: somebody has sought or committed meanwhile. `position`, `generation`: where the cursor stands."""

    position: str = ""
    generation: int = 0


class ChangedMeanwhile(ApiError):
    """412: somebody has changed it since the row was read whose `tag` was given."""


class TooLarge(ApiError):
    """413: the body is too large. `index`: the message that is, from 0; None: all of it together."""

    index: int | None = None


class Throttled(ApiError):
    """429: too many requests. `retry_after_seconds`: what Relay asks to wait; None: it does not say."""

    retry_after_seconds: float | None = None


class Unavailable(ApiError):
    """502, 503, 504: not now. `retry_after_seconds`: what Relay asks to wait; None: it does not say."""

    retry_after_seconds: float | None = None


class Unreachable(RelayError):
    """There was no answer.

    `was_sent`: the request, or some of it, may have arrived. `may_pass`: the same request may be answered
    later; not so where its address cannot be one, such as a name of 70,000 characters makes it.
    """

    def __init__(self, detail: str, *, was_sent: bool, may_pass: bool = True) -> None:
        super().__init__(detail)
        self.was_sent = was_sent
        self.may_pass = may_pass


class BadAnswer(RelayError):
    """What answered does not speak as Relay does: a proxy's page, say."""


class BadWebhook(RelayError):
    """What came is no webhook that Relay has just signed with one of the secrets.

    `reason`: "headers" (one is missing, or none), "signature", "age" (too long ago, or to come), or "content"
    (signed, but in no format of Relay's).
    """

    def __init__(self, detail: str, *, reason: Literal["headers", "signature", "age", "content"]) -> None:
        super().__init__(detail)
        self.reason = reason


class Undelivered(RelayError):
    """A message of which no receipt came.

    `reason` is why. `may_be_stored` is false if it is certain that Relay does not have it. Whoever sends it
    again with the same `idempotency_key` cannot store it twice.
    """

    def __init__(
        self, channel: str, idempotency_key: str, reason: RelayError, *, may_be_stored: bool
    ) -> None:
        known = "it may be stored" if may_be_stored else "it is not stored"
        super().__init__(f"A message for {channel!r} was not delivered ({known}): {reason}")
        self.channel = channel
        self.idempotency_key = idempotency_key
        self.reason = reason
        self.may_be_stored = may_be_stored
        self.__cause__ = reason


class BufferFull(RelayError):
    """As much waits to be sent as the producer may hold."""


class TimedOut(RelayError, TimeoutError):
    """Not everything was delivered, or told, in this time. It goes on, unless something was being closed."""


class Closed(RelayError):
    """What was closed, or belongs to the process before a fork, does nothing more."""


OF_STATUS: Final[Mapping[int, type[ApiError]]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: ChangedMeanwhile,
    413: TooLarge,
    429: Throttled,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}
"""Which error a status is. Every other one from 300 on is an ApiError."""

_PASSING: Final = frozenset({408, 425, 429})


def may_pass(error: RelayError) -> bool:
    """Whether the same request may go well later.

    So it is where nobody answers, but for an address that cannot be one; with 408, 425, 429 and every 5xx;
    and with an answer that is not Relay's (a proxy's page).
    """
    if isinstance(error, Unreachable):
        return error.may_pass
    return not isinstance(error, ApiError) or error.status in _PASSING or error.status >= 500


def ours(error: Exception) -> RelayError:
    """What was raised instead of an answer, whatever it is; without what others say of it."""
    if isinstance(error, RelayError):
        return error
    return RelayError(f"The request could not be made: {type(error).__name__}")


def asked_to_wait(error: RelayError) -> float | None:
    """The seconds that Relay asks to wait; None: it does not say."""
    return error.retry_after_seconds if isinstance(error, Throttled | Unavailable) else None
