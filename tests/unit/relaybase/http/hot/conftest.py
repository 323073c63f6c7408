"""A hot endpoint of the tests, asked without a server."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from rest_framework.exceptions import NotFound
from rest_framework.response import Response
from rest_framework.views import APIView

from relaybase.http.hot import Answer, Endpoint, HotEndpoints, Request
from relaycore.errors import ChannelExists, Disconnected

KEY = "relay_key"
READER = "relay_reader"
AWAY = "relay_away"

REFUSAL = "This token may not."
FOREIGN = "foreign"


@dataclass
class Somebody:
    who: str
    rights: tuple[str, ...]

    def refusal(self, right: str, channel: str | None = None) -> str | None:
        return None if right in self.rights and channel != FOREIGN else REFUSAL


class Tokens:
    """Two, one of which has to be looked up, and one that nobody can say anything about."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def known(self, key: str) -> Somebody | None:
        return Somebody("token:1", ("read", "write")) if key == KEY else None

    async def find(self, key: str) -> Somebody | None:
        self.found.append(key)
        if key == AWAY:
            raise Disconnected("PostgreSQL does not answer. Try again in a few seconds.")
        return Somebody("token:2", ("read",)) if key == READER else None


ERRORS = {
    "known": ChannelExists('The channel "a" is relayed already.'),
    "missing": NotFound("There is nothing."),
    "away": Disconnected("It is away."),
    "bug": ValueError("the payload of somebody"),
}


class Things(APIView):
    """Django's side of it."""

    def get(self, request: Any, name: str) -> Response:
        if name in ERRORS:
            raise ERRORS[name]
        return Response({"name": name, "line": "\u2028"})

    def post(self, request: Any, name: str) -> Response:
        return Response({"given": request.data}, 202, {"X-More": "é"})


async def get(request: Request, name: str) -> Any:
    if name in ERRORS:
        raise ERRORS[name]
    return {"name": name, "line": "\u2028"}


async def post(request: Request, name: str) -> Answer:
    return Answer({"given": await request.json()}, 202, {"X-More": "é"})


async def large(request: Request) -> Answer:
    return Answer({"name": "large" * 40_000}, over=lambda: over.append(1))


over: list[int] = []
"""Of answers that are large, and over."""

PATTERN = "api/v1/things/(?P<name>[^/]+)"
ENDPOINTS = [
    Endpoint("thing", PATTERN, Things, "read", {"GET": get}, channel="name"),
    Endpoint("thing", PATTERN, Things, "write", {"POST": post}, most_bytes=1000),
    Endpoint("large", "api/v1/large", Things, "read", {"GET": large}),
]


@dataclass
class Answered:
    """What came; `by_django`: not from here."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    pieces: int = 0
    by_django: bool = False

    @property
    def data(self) -> Any:
        return json.loads(self.body)


@dataclass
class World:
    """Asks, and remembers what was counted."""

    tokens: Tokens = field(default_factory=Tokens)
    counted: list[tuple[str, str, int]] = field(default_factory=list)
    read: int = 0
    can_send: bool = True

    def __post_init__(self) -> None:
        fixed = {False: {"X-Frame-Options": "DENY"}, True: {"Strict-Transport-Security": "max-age=1"}}
        self.application = HotEndpoints(
            self._django, ENDPOINTS, self.tokens, fixed, lambda *what: self.counted.append(what[:3])
        )

    async def _django(self, scope: Any, receive: Any, send: Any) -> None:
        self.answered.by_django = True

    def __call__(
        self,
        method: str = "GET",
        path: str = "/api/v1/things/a",
        query: str = "",
        body: Iterable[bytes] = (),
        more: Iterable[tuple[str, str]] = (),
        scope: dict[str, Any] | None = None,
        **headers: str | None,
    ) -> Answered:
        """Headers are given with underscores; None leaves one out. `more` are headers beside these."""
        sent = {"host": "localhost", "authorization": f"Bearer {KEY}", "accept": "*/*"} | headers
        pairs = [(k.replace("_", "-"), v) for k, v in sent.items() if v is not None] + list(more)
        whole = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "scheme": "http",
            "root_path": "",
            "headers": [(k.encode("latin-1"), v.encode("latin-1")) for k, v in pairs],
            **(scope or {}),
        }
        self.answered = Answered()
        chunks = list(body)

        async def receive() -> dict[str, Any]:
            self.read += 1
            chunk = chunks.pop(0) if chunks else b""
            if chunk is GONE:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

        async def send(event: Any) -> None:
            if event["type"] == "http.response.start":
                self.answered.status = event["status"]
                self.answered.headers = {k.decode(): v.decode("latin-1") for k, v in event["headers"]}
                assert len(self.answered.headers) == len(event["headers"])
            else:
                if not self.can_send:
                    raise OSError("This line is cut.")
                self.answered.body += event["body"]
                self.answered.pieces += 1

        asyncio.run(self.application(whole, receive, send))
        return self.answered


GONE = b"gone"


@pytest.fixture
def ask() -> World:
    return World()
