"""Answers as they are sent: bytes, and the headers that Django's would have."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from json import JSONEncoder
from typing import Any, Final

from rest_framework.settings import api_settings
from rest_framework.utils.encoders import JSONEncoder as RestEncoder

from relaybase import logs
from relaybase.http import problems
from relaybase.http.bodies import Refused, Send
from relaybase.http.connections import connection_of
from relaybase.http.details import CONTENT_TYPE, problem_details
from relaybase.http.hot.endpoint import Answer
from relaybase.http.hot.request import Request

log = logging.getLogger(__name__)

RawHeaders = list[tuple[bytes, bytes]]

# As REST framework's renderer makes one for each answer.
_encoder: Final[JSONEncoder] = RestEncoder(
    ensure_ascii=not api_settings.UNICODE_JSON,
    allow_nan=not api_settings.STRICT_JSON,
    separators=(",", ":") if api_settings.COMPACT_JSON else (", ", ": "),
)


PIECE_BYTES: Final = 64 << 10
"""An answer is sent in pieces of at most so many bytes, each once the one before has mostly gone out."""


class Encoded:
    """What is JSON already: in pieces, since whoever puts a large one together holds it twice.

    rows: stand between `before` and `after`, with commas between them
    """

    def __init__(self, before: str, rows: Iterable[str] = (), after: str = "") -> None:
        self.pieces = list(_joined(before, rows, after))

    @property
    def size(self) -> int:
        """So many bytes."""
        return sum(map(len, self.pieces))


def _joined(before: str, rows: Iterable[str], after: str) -> Iterator[bytes]:
    """As bytes, and at their end a line break: some ten thousand in each, if no row has more."""
    some: list[str] = []
    characters = 0
    for row in rows:
        if characters >= PIECE_BYTES // 2:
            yield _as_django(f"{before}{','.join(some)}")
            before, some, characters = ",", [], 0
        some.append(row)
        characters += len(row)
    yield _as_django(f"{before}{','.join(some)}{after}\n")


def _as_django(text: str) -> bytes:
    """No line break in it that is one to JavaScript only."""
    if not text.isascii():
        text = text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return text.encode()


def encoded(data: Any) -> list[bytes]:
    """As Django has it: JSON, and at its end a line break. Bytes as they are."""
    if isinstance(data, bytes):
        return [data]
    return (data if isinstance(data, Encoded) else Encoded(_encoder.encode(data))).pieces


def of_error(exc: Exception, request: Request, name: str) -> Answer:
    """What Django's view answers when this is raised in it. `name` is the endpoint's, for the log."""
    if isinstance(exc, Refused):
        # What is still on its way is not read.
        headers = {**exc.headers, "Connection": "close"}
        return Answer(problem_details(exc.status, str(exc)), exc.status, headers, CONTENT_TYPE)
    response = problems.answer(exc, {"request": request})
    if response is None:
        log.error("%s: nobody expected this", name, exc_info=exc)
        return Answer(problems.UNEXPECTED, 500, content_type=CONTENT_TYPE)
    headers = {name: value for name, value in response.headers.items() if name != "Content-Type"}
    return Answer(response.data, response.status_code, headers, CONTENT_TYPE)


class AnswerWriter:
    """Sends the answers of one endpoint.

    fixed: what every answer has, by whether it came by HTTPS
    own:   what those have which the view has given, so all but a 500
    """

    def __init__(self, fixed: Mapping[bool, Mapping[str, str]], own: Mapping[str, str]) -> None:
        self._heads: dict[tuple[int, str, bool], bytes] = {}
        always = {is_https: raw(headers) for is_https, headers in fixed.items()}
        # By whether it came by HTTPS, and whether it is a 500.
        self._fixed = {
            (is_https, is_failure): headers + ([] if is_failure else raw(own))
            for is_https, headers in always.items()
            for is_failure in (False, True)
        }

    async def send(
        self,
        send: Send,
        answer: Answer,
        more: Mapping[str, str],
        *,
        is_https: bool,
        request_id: str,
        scope: Mapping[str, Any] | None = None,
    ) -> None:
        """The whole answer; `more` are headers beside its own. `scope`: it may go out at once, if it can."""
        pieces = [b""] if answer.data is None else encoded(answer.data)
        last = len(pieces) - 1
        is_short = not last and len(pieces[0]) <= PIECE_BYTES
        is_plain = is_short and not (answer.headers or more)
        if scope is not None and is_plain:
            written = self._written(answer, is_https=is_https)
            if _went_at_once(scope, answer.status, written, pieces[0], request_id):
                return
        headers = [
            (b"content-type", answer.content_type.encode()),
            *self._fixed[is_https, answer.status == 500],
            (b"content-length", b"%d" % sum(map(len, pieces))),
            (_REQUEST_ID, request_id.encode()),
        ]
        if answer.headers or more:
            headers += raw({**answer.headers, **more})
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        # Servers leave out the body where HEAD was asked.
        for index, piece in enumerate(pieces):
            for start in range(0, len(piece) or 1, PIECE_BYTES):
                end = start + PIECE_BYTES
                is_last = index == last and end >= len(piece)
                await send({"type": "http.response.body", "body": piece[start:end], "more_body": not is_last})

    def _written(self, answer: Answer, *, is_https: bool) -> bytes:
        """The headers that an answer has which has none of its own, each with its line break."""
        key = (answer.status, answer.content_type, is_https)
        if (found := self._heads.get(key)) is None:
            fixed = self._fixed[is_https, answer.status == 500]
            headers = [(b"content-type", answer.content_type.encode()), *fixed]
            lines = b"".join(b"%b: %b\r\n" % header for header in headers)
            found = self._heads[key] = lines
        return found


def _went_at_once(
    scope: Mapping[str, Any], status: int, written: bytes, body: bytes, request_id: str
) -> bool:
    """Whether a whole answer has gone out already. `written`: what it has of headers beside these two."""
    connection = connection_of(scope)
    if connection is None:
        return False
    lines = b"%bcontent-length: %d\r\n%b: %b\r\n" % (written, len(body), _REQUEST_ID, request_id.encode())
    return connection.answer(scope, status, lines, body)


def raw(headers: Mapping[str, str]) -> RawHeaders:
    """As ASGI has them."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


_REQUEST_ID: Final = logs.HEADER.lower().encode()
