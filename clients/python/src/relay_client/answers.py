"""What Relay answered, read: JSON, or the error that a problem is. No I/O."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from relay_client.errors import (
    OF_STATUS,
    ApiError,
    BadAnswer,
    BadMessage,
    CursorMoved,
    Throttled,
    TooLarge,
    Unavailable,
)

_CURSOR_MOVED: Final = "urn:relay:problem:cursor-moved"
_BAD_MESSAGE: Final = "urn:relay:problem:bad-message"


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers with names in small letters, and body of an answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def is_success(self) -> bool:
        """Whether it is no error. Relay redirects nobody, so a redirection is one."""
        return 200 <= self.status < 300


def checked(answer: Answer) -> Answer:
    """The same, if it is a success.

    Raises:
        ApiError: it is none.
    """
    if not answer.is_success:
        raise error_of(answer)
    return answer


def read(answer: Answer) -> Any:
    """What the JSON of a success says; None if it has no body.

    Raises:
        BadAnswer: it has one that is not JSON.
    """
    if not answer.body:
        return None
    try:
        return json.loads(answer.body)
    except ValueError:
        raise BadAnswer(f"The answer ({answer.status}) is not JSON: is this the address of Relay?") from None


def error_of(answer: Answer) -> ApiError:
    """The error that an answer is. What is no problem details has what its status says."""
    problem = _problem(answer)
    kind = _text(problem, "type") or "about:blank"
    made = OF_STATUS.get(answer.status, ApiError)
    index = problem.get("index")
    if kind == _BAD_MESSAGE and answer.status == 400 and type(index) is int:
        made = BadMessage
    if kind == _CURSOR_MOVED and answer.status == 409:
        made = CursorMoved
    error = made(
        answer.status,
        _text(problem, "detail") or "There is no more to the answer than its status.",
        type=kind,
        title=_text(problem, "title"),
        help=_text(problem, "help"),
        errors=problem.get("errors"),
    )
    if isinstance(error, BadMessage | TooLarge) and type(index) is int:
        error.index = index
    if isinstance(error, CursorMoved):
        error.position = _text(problem, "position")
        error.generation = found if type(found := problem.get("generation")) is int else 0
    if isinstance(error, Throttled | Unavailable):
        error.retry_after_seconds = retry_after(answer.headers)
    return error


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """The seconds that the header Retry-After asks to wait, also where it gives a time (RFC 9110, 10.2.3).

    None: it is not there, or says nothing. A time is compared with the answer's own Date, so that the
    clocks need not agree; `now` stands in if there is none.
    """
    said = headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return float(said)
    if (until := _time(said)) is None:
        return None
    since = _time(headers.get("date", "")) or now or datetime.now(UTC)
    return max(0.0, (until - since).total_seconds())


def _time(text: str) -> datetime | None:
    try:
        time = parsedate_to_datetime(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _problem(answer: Answer) -> Mapping[str, Any]:
    try:
        problem = json.loads(answer.body)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _text(problem: Mapping[str, Any], member: str) -> str:
    found = problem.get(member)
    return found if isinstance(found, str) else ""
