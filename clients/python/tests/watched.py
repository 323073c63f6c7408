"""A played Relay that is watched: its streams break where they are told, and its messages are numbered."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2

from relay_client import Gap, Message, Reset

URL = "https://relay.example.org"
KEY = "rly_SECRET-of-the-token"


def row(number: int) -> dict[str, Any]:
    """As the API has it."""
    return {
        "id": f"id-{number}",
        "channel": "orders",
        "message": f"text {number}\nof two lines",
        "encoding": "utf-8",
        "received_at": "2026-11-26T12:00:00Z",
        "position": f"{number:013}-0000000000-00000",
    }


GAP = {
    "partition": 0,
    "channel": None,
    "cause": "disconnected",
    "from": "2026-11-26T11:00:00Z",
    "to": "2026-11-26T11:00:05Z",
    "missed_at_most": 3,
    "covered": False,
}
RESET = {
    "reason": "retention",
    "channel": "orders",
    "from": None,
    "to": "2026-11-26T11:00:00Z",
    "at_most": 2,
}


def frame(id: str, data: object, event: str = "") -> bytes:
    """An event. What is one line as JSON is sent as several, as the standard allows."""
    lines = json.dumps(data, indent=1).splitlines()
    return "".join(
        [f"event: {event}\n" if event else "", *(f"data: {line}\n" for line in lines), f"id: {id}\n\n"]
    ).encode()


class Bytes(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A body that breaks off."""

    def __init__(self, chunks: list[bytes], error: Exception | None) -> None:
        self._chunks, self._error = chunks, error

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks
        if self._error is not None:
            raise self._error

    async def __aiter__(self) -> Any:
        for chunk in self:
            yield chunk


@dataclass
class Break:
    """How one connection goes: so many bytes of it arrive, in pieces; then an error, or the end."""

    bytes: int = 0
    piece: int = 1 << 20
    is_clean: bool = False
    status: int = 200


@dataclass
class WatchedRelay:
    """`count` messages; a gap before the fifth, a reset before the eighth, an id alone after the third."""

    count: int
    breaks: Iterator[Break] = field(default_factory=lambda: iter(()))
    requests: list[httpx2.Request] = field(default_factory=list)
    head: bytes = b": hello\nretry: 0\n\n"

    def frames(self, since: int) -> Iterator[bytes]:
        """What is owed behind the id `since`. Each thing has a number of its own, which is its id."""
        for number, (event, data) in enumerate(self.story(), 1):
            if number > since:
                yield f"id: {number}\n\n".encode() if event == "none" else frame(str(number), data, event)

    def story(self) -> Iterator[tuple[str, Any]]:
        for number in range(self.count):
            if number == 4:
                yield "gap", GAP
            if number == 7:
                yield "stream-reset", RESET
            yield "", row(number)
            if number == 2:
                yield "none", None
                yield "of-a-newer-relay", "whatever"
        yield "caught-up", {}

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        since = int(request.headers.get("last-event-id") or "0")
        body = self.head + b"".join(self.frames(since))
        cut = next(self.breaks, None)
        if cut is None:
            # Nobody can be sure of an end that he was not told of, so he asks once more.
            is_all = since == sum(1 for _ in self.story())
            return httpx2.Response(204) if is_all else self.answer([body], None)
        if cut.status == 204:
            return httpx2.Response(204)
        if cut.status != 200:
            return httpx2.Response(cut.status, headers={"Retry-After": "0"}, text="<html>")
        arrived = body[: cut.bytes]
        chunks = [arrived[at : at + cut.piece] for at in range(0, len(arrived), cut.piece)]
        return self.answer(chunks, None if cut.is_clean else httpx2.ReadError("cut off", request=request))

    def answer(self, chunks: list[bytes], error: Exception | None) -> httpx2.Response:
        headers = {"Content-Type": "text/event-stream; charset=utf-8"}
        return httpx2.Response(200, headers=headers, stream=Bytes(chunks, error))


def told(happening: object) -> object:
    """What a test compares: a message's number, or what else it is."""
    if isinstance(happening, Message):
        number = int(happening.id.removeprefix("id-"))
        assert happening.text == row(number)["message"]
        return number
    assert not isinstance(happening, Gap) or happening.missed_at_most == 3
    assert not isinstance(happening, Reset) or happening.missed_at_most == 2
    return type(happening).__name__
