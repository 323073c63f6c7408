"""Which bodies are let in before Django is asked, and what is answered to the others."""

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from rest_framework.exceptions import AuthenticationFailed

from relaybase.http import bodies
from relaybase.http.admission import Admission, Headers

LARGE = 16 << 20
PUBLISH = "/api/v1/channels/orders/messages"


@dataclass
class Asked:
    """One request, and what came of it."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    async def send(self, event: Any) -> None:
        if event["type"] == "http.response.start":
            self.status = event["status"]
            self.headers = {name.decode(): value.decode() for name, value in event["headers"]}
            assert len(self.headers) == len(event["headers"])
        else:
            self.body += event["body"]


class World:
    """Somebody with the key "known", and an application that takes everything."""

    def __init__(self) -> None:
        self.counted: list[tuple[str, str, int]] = []
        self.taken: list[int] = []
        self.wrong: Exception | None = None
        self.application = Admission(
            self._django,
            self._admit,
            "/api/v1/",
            lambda *what: self.counted.append(what[:3]),
            lambda _: LARGE,
        )

    async def _django(self, scope: Any, receive: Any, send: Any) -> None:
        self.taken.append(len((await receive())["body"]))
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def _admit(self, headers: Headers) -> bool:
        if self.wrong is not None:
            raise self.wrong
        return headers.get(b"authorization") == b"known"

    async def ask(
        self, receive: Callable[[], Any], path: str = PUBLISH, method: str = "POST", **headers: str
    ) -> Asked:
        asked = Asked()
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "client": ("peer", 1),
            "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()],
        }
        await self.application(scope, receive, asked.send)
        return asked


async def nothing() -> Any:
    raise AssertionError("nobody reads it")


def refused(world: World, **headers: str) -> Asked:
    return asyncio.run(world.ask(nothing, **headers))


def test_what_publishers_have_on_its_way_to_django_is_bounded() -> None:
    world, until = World(), asyncio.Event()

    def endless() -> Callable[[], Any]:
        pieces = iter([b"x" * (15 << 20)])

        async def receive() -> Any:
            if (piece := next(pieces, None)) is None:
                await until.wait()
            return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

        return receive

    async def many() -> list[Asked]:
        headers = {"authorization": "known", "transfer_encoding": "chunked"}
        asking = [asyncio.create_task(world.ask(endless(), **headers)) for _ in range(5)]
        await asyncio.sleep(0.1)
        until.set()
        return await asyncio.gather(*asking)

    asked = asyncio.run(many())

    # Three of them are 45 MiB, and one peer may have 48. The oldest give way.
    assert [one.status for one in asked] == [503, 503, 200, 200, 200]
    assert world.taken == [15 << 20] * 3
    assert asked[0].headers["retry-after"] == "2"


def test_who_is_refused_is_told_as_by_the_api() -> None:
    world = World()

    asked = refused(world, content_length="100000", x_request_id="abc")

    assert asked.status == 401
    assert asked.headers["content-type"] == "application/problem+json"
    assert asked.headers["www-authenticate"] == "Bearer"
    assert asked.headers["connection"] == "close"
    assert asked.headers["x-request-id"] == "abc"
    assert json.loads(asked.body)["status"] == 401
    assert asked.body.endswith(b"}\n")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content_length": "100000"}, 401),
        ({"content_length": str(LARGE + 1)}, 413),
        ({"transfer_encoding": "chunked"}, 401),
        ({"content_length": "100000", "path": "/admin/login/"}, 413),
        ({"content_length": "100000", "path": "/api/session/login/"}, 413),
    ],
)
def test_a_refusal_has_an_id_and_is_counted(headers: dict[str, str], status: int) -> None:
    world = World()
    routes = {
        PUBLISH: "publish",
        "/admin/login/": "admin:login",
        "/api/session/login/": "rest_framework:login",
    }

    asked = refused(world, **headers)

    assert asked.status == status
    assert asked.headers["x-request-id"]
    assert asked.headers["connection"] == "close"
    assert world.counted == [("POST", routes[headers.get("path", PUBLISH)], status)]


def test_a_refusal_where_there_is_nothing_is_counted_as_such() -> None:
    world = World()

    assert refused(world, path="/nothing/here", method="PUT", content_length="100000").status == 413
    assert world.counted == [("PUT", "none", 413)]


def test_a_token_that_nobody_has_is_401() -> None:
    world = World()
    world.wrong = AuthenticationFailed("Nobody has it.")

    asked = refused(world, content_length="100000")

    assert (json.loads(asked.body)["detail"], world.counted[0][2]) == ("Nobody has it.", asked.status)


def test_what_nobody_expected_stands_in_the_log_and_not_in_the_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    world.wrong = ValueError("the payload of somebody")

    asked = refused(world, content_length="100000", x_request_id="abc")

    assert (asked.status, asked.headers["content-type"]) == (500, "application/problem+json")
    assert asked.headers["x-request-id"] == "abc"
    assert b"payload" not in asked.body
    assert world.counted == [("POST", "publish", 500)]
    (record,) = caplog.records
    assert (record.levelno, record.exc_info and record.exc_info[1]) == (logging.ERROR, world.wrong)


def test_who_has_gone_is_neither_answered_nor_counted() -> None:
    world = World()

    async def gone() -> Any:
        return {"type": "http.disconnect"}

    asked = asyncio.run(world.ask(gone, authorization="known", content_length="100000"))

    assert (asked.status, world.counted, world.taken) == (0, [], [])
    assert bodies.OF_OTHER_PUBLISHERS.size == 0
