"""The frame of an application in front of Django that answers some addresses itself, by manners of its own.

An endpoint (`Endpoint`) is answered as Django would answer it. What clients of other products call is not:
its errors, its methods and its keys are theirs. What stays the same stands here: who is handed on, what is
traced and counted, and what each answer has besides.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from django.conf import settings

from relaybase import logs
from relaybase.http import bodies
from relaybase.http.bodies import Application, Receive, Send
from relaybase.http.hot import plain
from relaybase.http.hot.answers import AnswerWriter
from relaybase.http.hot.endpoint import Answer, Authority, Holder, Trace
from relaycore.outbound import hops

Count = Callable[[str, str, int, float], None]
"""Counts a request: method, name, status, seconds."""

H = TypeVar("H", bound=Holder)

NOT_PROPER: Final = (
    "Nothing is answered here under the name by which it was asked for (RELAY_ALLOWED_HOSTS), "
    "or not without HTTPS."
)

GONE: Final = 499
"""For a client that left before its answer. It is not counted."""

_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_REQUEST_ID: Final = logs.HEADER.lower().encode()
_HOPS: Final = hops.HEADER.encode()


@dataclass(frozen=True, slots=True)
class Asked:
    """A request. `peer`: the address that it came from; `method`: "other" for what is none of HTTP's."""

    scope: Mapping[str, Any]
    headers: plain.Headers
    method: str
    peer: str
    receive: Receive
    is_https: bool

    def count_hops(self) -> int:
        """How often webhooks have sent it; 0: none has.

        Raises:
            Looped: too often.
        """
        return hops.came(self.headers.get(_HOPS, b"").decode("latin-1"))


class SideDoor(ABC, Generic[H]):
    """One such application.

    authority: who knows the keys; None: nobody is asked for one
    fixed:     what every answer has, by whether it came by HTTPS
    """

    def __init__(
        self,
        otherwise: Application,
        authority: Authority | None,
        fixed: Mapping[bool, Mapping[str, str]],
        count: Count,
        trace: Trace | None = None,
    ) -> None:
        self._otherwise = otherwise
        self._authority = authority
        self._writer = AnswerWriter(fixed, {})
        self._count = count
        self._trace = trace

    @abstractmethod
    def name_of(self, path: str, method: str) -> str | None:
        """As what a request is counted; None: it is not for this door."""

    @abstractmethod
    async def answer(self, asked: Asked, path: str) -> Answer:
        """The answer. What it raises goes to `refuse`."""

    @abstractmethod
    def refuse(self, exc: Exception, asked: Asked, path: str) -> Answer:
        """The answer where this was raised."""

    @abstractmethod
    def misdirected(self) -> Exception:
        """What is raised where the host is none of ours, or HTTPS is lacking (`NOT_PROPER`)."""

    def key_of(self, headers: plain.Headers) -> str | None:
        """The key that is shown; None: there is none."""
        return plain.key_of(headers)

    @abstractmethod
    def without_key(self) -> Exception:
        """What is raised where a key is lacking."""

    @abstractmethod
    def wrong_key(self) -> Exception:
        """What is raised where it is nobody's."""

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._otherwise(scope, receive, send)
            return
        path, method = plain.path_of(scope), scope["method"] if scope["method"] in _METHODS else "other"
        if (name := self.name_of(path, method)) is None:
            await self._otherwise(scope, receive, send)
        elif self._trace is None:
            await self._serve(scope, receive, send, path, method, name)
        else:
            with self._trace(method, name, dict(scope["headers"])) as answered:
                answered(await self._serve(scope, receive, send, path, method, name))

    async def holder(self, headers: plain.Headers) -> H | None:
        """Who asks; None: nobody is asked for a key.

        Raises:
            what `without_key` and `wrong_key` say
            Disconnected: nobody can say it now.
        """
        if self._authority is None:
            return None
        if (key := self.key_of(headers)) is None:
            raise self.without_key()
        found: Any = self._authority.known(key) or await self._authority.find(key)
        if found is None:
            raise self.wrong_key()
        holder: H = found
        return holder

    async def _serve(
        self, scope: Mapping[str, Any], receive: Receive, send: Send, path: str, method: str, name: str
    ) -> int:
        """Answer; the status."""
        began = time.perf_counter()
        headers = dict(scope["headers"])
        way = plain.way_of(scope, {**headers, b"accept": b"*/*"})
        asked = Asked(scope, headers, method, bodies.peer_of(scope), receive, way.is_https)
        with logs.within(headers.get(_REQUEST_ID, b"").decode("latin-1")) as request_id:
            try:
                if not way.is_plain:
                    raise self.misdirected()
                answer = await self.answer(asked, path)
            except bodies.Gone:
                return GONE
            except Exception as exc:
                answer = self.refuse(exc, asked, path)
            self._count(method, name, answer.status, time.perf_counter() - began)
            is_https = way.is_https or settings.SECURE_SSL_REDIRECT
            await self._writer.send(
                send, answer, {}, is_https=is_https, request_id=request_id, scope=asked.scope
            )
        return answer.status
