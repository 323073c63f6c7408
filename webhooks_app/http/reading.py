"""What comes on one connection, read as answers. No socket: bytes go in, `feed` says when there is enough."""

import time
from collections.abc import Mapping
from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from relaycore.outbound import retry_after
from relaycore.sending.answers import HEARD, MOST_KEPT, Answer, Failure

MOST_HEAD: Final = 32 << 10
"""Bytes of all headers of an answer, those of 1xx before it included."""

MOST_BYTES: Final = 64 << 10
"""Of an answer that are read, with its head. What is longer is cut off, and its connection ends."""

_HEARD: Final = {name.encode(): name for name in HEARD}
_LENGTH: Final = b"content-length"
_CODING: Final = b"transfer-encoding"
_BEGINNINGS: Final = frozenset(
    "".join(name[0] + name[0].upper() for name in (*HEARD, _LENGTH.decode(), _CODING.decode())).encode()
)
_SWITCHING: Final = 101
_NO_CONTENT: Final = 204


class _TooLarge(Exception):
    """More headers than an answer may have."""


class _Unasked(Exception):
    """Another answer begins behind the one that was asked for."""


class Reading:
    """One answer after another, each after `begin`.

    status:   of the final response, once its head is complete
    is_whole: all of it has come
    has_come: so many bytes have
    can_stay: the connection is where the next answer may begin
    """

    __slots__ = (
        *("status", "is_whole", "can_stay", "_body", "_heard", "_left", "_head_left", "_is_interim"),
        *("_parser", "_says_body", "_says_end"),
    )

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self.begin()

    def begin(self) -> None:
        """The next answer is about to come."""
        self.status: int | None = None
        self.is_whole = False
        self.can_stay = False
        self._body = b""
        self._heard: dict[str, str] | None = None
        self._left = MOST_BYTES
        self._head_left = MOST_HEAD
        self._is_interim = False
        self._says_body = self._says_end = False

    @property
    def has_come(self) -> int:
        """Bytes of this answer."""
        return MOST_BYTES - self._left

    def feed(self, data: bytes) -> Failure | bool:
        """Whether there is enough; or why there will be no answer. Nothing may be fed after that."""
        is_cut = len(data) > self._left
        if is_cut:
            data = data[: self._left]
        self._left -= len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self.can_stay = False
            return True
        except HttpParserError as exc:
            # Behind the head nothing can take the status back.
            self.can_stay = False
            if self.status is None:
                return Failure.TOO_LARGE if isinstance(exc.__context__, _TooLarge) else Failure.PROTOCOL
            return True
        if self.is_whole:
            self.can_stay = self.can_stay and not is_cut
            return True
        if is_cut:
            return Failure.TOO_LARGE if self.status is None else True
        return False

    def end(self) -> None:
        """The connection has ended, and was not broken off: a body that says no other end has this one."""
        if self.status is not None and not self._says_end:
            self.is_whole = True

    def answer(self, seconds: float) -> Answer:
        """What has come. The head of an answer has."""
        if self.is_whole and self._heard is None:
            return Answer(self.status, body=self._body, seconds=seconds)
        heard: Mapping[str, str] = self._heard or {}
        later = heard.get("retry-after")
        return Answer(
            self.status,
            detail="" if self.is_whole else "The body of the answer did not come to its end.",
            retry_after=retry_after.read(later, time.time()) if later else None,
            body=self._body,
            seconds=seconds,
            headers=heard,
        )

    # --- called by the parser ------------------------------------------------------------

    def on_message_begin(self) -> None:
        """The first byte of an answer."""
        if self.is_whole:
            raise _Unasked

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header, or one behind a chunked body, which means nothing."""
        self._head_left -= len(name) + len(value) + 4
        if self._head_left < 0:
            raise _TooLarge
        # Called for each of them, and few begin so.
        if name[0] not in _BEGINNINGS or self.status is not None:
            return
        name = name.lower()
        if name == _LENGTH:
            self._says_end = True
            self._says_body = value != b"0"
        elif name == _CODING:
            self._says_end = value.lower().endswith(b"chunked")
            self._says_body = True
        elif name in _HEARD:
            if self._heard is None:
                self._heard = {}
            self._heard[_HEARD[name]] = value[:MOST_KEPT].decode("latin-1")

    def on_headers_complete(self) -> None:
        """A head is complete. Of what is not final nothing is kept."""
        status = self._parser.get_status_code()
        if status < 100:
            raise _Unasked
        self._is_interim = status < 200 and status != _SWITCHING
        if self._is_interim:
            self._heard = None
            self._says_body = self._says_end = False
        else:
            self.status = status

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        room = MOST_KEPT - len(self._body)
        if room > 0:
            self._body += data[:room]

    def on_message_complete(self) -> None:
        """An answer has come to its end."""
        if not self._is_interim:
            self.is_whole = True
            # This status has no body. What says that there is one may send it, in front of the next answer.
            has_more = self._says_body and self.status == _NO_CONTENT
            self.can_stay = self._parser.should_keep_alive() and not has_more
