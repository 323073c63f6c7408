"""A model of Relay behind `httpx2.MockTransport`: it stores by idempotency key, and fails as it is told."""

import json
from collections.abc import Callable, Iterable
from typing import Any

import httpx2

URL = "https://relay.example.org"
KEY = "rly_SECRET-of-the-token"

Step = Callable[[httpx2.Request], httpx2.Response] | None
"""What one request meets instead of, or after, its being stored; None: nothing."""


class ModelRelay:
    """Channels of messages, each stored once for its key, in the order in which they came."""

    def __init__(self, steps: Iterable[Step] = ()) -> None:
        self.steps = iter(steps)
        self.requests: list[httpx2.Request] = []
        self.stored: dict[str, dict[str, str]] = {}
        """Channel → idempotency key → message."""
        self.bad: set[str] = set()
        """Messages that are refused."""
        self.most_bytes = 16 * 1024 * 1024

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        step = next(self.steps, None)
        if step is None:
            return self.store(request)
        return step(request)

    def store(self, request: httpx2.Request) -> httpx2.Response:
        """As the door does: whole, or refused whole."""
        body = request.content
        if len(body) > self.most_bytes:
            return problem(413, "body-too-large", "Too large.")
        rows = [json.loads(line) for line in body.split(b"\n")]
        for index, row in enumerate(rows):
            if row["message"] in self.bad:
                return problem(400, "bad-message", "It is bad.", index=index)
        channel = request.url.raw_path.split(b"/")[4].decode()
        log = self.stored.setdefault(channel, {})
        for row in rows:
            log.setdefault(row["id"], row["message"])
        return httpx2.Response(202, json={"ids": [id_of(row["id"]) for row in rows]})

    def then_cut_off(self, request: httpx2.Request) -> httpx2.Response:
        """Stored, and the answer is lost."""
        self.store(request)
        raise httpx2.ReadError("cut off", request=request)

    def texts(self, channel: str) -> list[str]:
        """What is stored of a channel, in its order."""
        return list(self.stored.get(channel, {}).values())


def id_of(idempotency_key: str) -> str:
    """Some id that depends on the key alone."""
    return f"id of {idempotency_key}"


def problem(status: int, kind: str, detail: str, **more: Any) -> httpx2.Response:
    """Problem details."""
    headers = {"Content-Type": "application/problem+json"}
    body = {
        "type": f"urn:relay:problem:{kind}",
        "title": "A title",
        "status": status,
        "detail": detail,
        **more,
    }
    return httpx2.Response(status, headers=headers, content=json.dumps(body))


def cut_off(request: httpx2.Request) -> httpx2.Response:
    """The request is lost on its way."""
    raise httpx2.ReadError("cut off", request=request)


def refused_connection(request: httpx2.Request) -> httpx2.Response:
    """It is not even sent."""
    raise httpx2.ConnectError("Connection refused", request=request)


def saying(status: int, kind: str = "some", **headers: str) -> Step:
    """A problem with this status."""

    def step(_: httpx2.Request) -> httpx2.Response:
        answer = problem(status, kind, "So it is.")
        answer.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
        return answer

    return step
