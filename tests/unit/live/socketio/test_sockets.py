"""Nothing is kept of a socket that has gone, whichever way; and who says nothing has to go."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest

from live.socketio import sockets as module
from live.socketio.application import SocketIO
from relaybase.http.crowd import Crowd


class Door:
    """`SocketIO`, asked without a network."""

    def __init__(self, authority: Any = None) -> None:
        self.application = SocketIO(cast(Any, None), authority)
        self.sockets = self.application._sockets()

    async def ask(self, session: str = "", body: bytes | None = None) -> tuple[int, str]:
        """What is answered to a poll, or to what a client sends."""
        sent: list[Any] = []
        heard = [{"type": "http.request", "body": body or b"", "more_body": False}]

        async def receive() -> Any:
            return heard.pop()

        async def send(event: Any) -> None:
            sent.append(event)

        scope = {
            "type": "http",
            "scheme": "http",
            "method": "GET" if body is None else "POST",
            "path": "/socket.io/",
            "query_string": b"EIO=4&transport=polling" + (f"&sid={session}".encode() if session else b""),
            "headers": [(b"host", b"localhost")],
            "client": ("192.0.2.1", 1),
        }
        await self.application(scope, receive, send)
        return sent[0]["status"], sent[1]["body"].decode()

    async def come(self) -> str:
        """The session of somebody who comes."""
        status, said = await self.ask()
        assert status == 200
        return str(json.loads(said[1:])["sid"])

    def is_empty(self) -> bool:
        return not (self.sockets.engine.sockets or self.sockets._sockets or self.sockets._strangers)


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def limited() -> None:
        await asyncio.wait_for(work(), 10)

    asyncio.run(limited())


@pytest.mark.parametrize("body", [b"1", b"41", b"42[1]", b'42["join",{}]', b"2probe\x1e41"])
def test_nothing_is_kept_of_who_leaves_or_says_what_is_not_to_be_said(body: bytes) -> None:
    async def work() -> None:
        door = Door()
        session = await door.come()
        assert not door.is_empty()
        await door.ask(session, body)
        assert door.is_empty()
        assert (await door.ask(session))[0] == 400

    run(work)


def test_a_poll_that_waits_is_answered_when_its_client_leaves() -> None:
    async def work() -> None:
        door = Door()
        session = await door.come()
        waits = asyncio.ensure_future(door.ask(session))
        await asyncio.sleep(0.01)
        await door.ask(session, b"1")
        await waits
        assert door.is_empty()

    run(work)


def test_who_polls_twice_at_once_is_ended() -> None:
    async def work() -> None:
        door = Door()
        session = await door.come()
        waits = asyncio.ensure_future(door.ask(session))
        await asyncio.sleep(0.01)
        assert (await door.ask(session))[0] == 400
        await waits
        assert door.is_empty()

    run(work)


def test_who_does_not_say_who_he_is_has_to_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.05)

    async def work() -> None:
        door = Door()
        await door.come()
        while not door.is_empty():
            await asyncio.sleep(0.01)

    run(work)


class Authority:
    """Nobody has a key any more, and of one that cannot be said."""

    def known(self, key: str) -> None:
        return None

    async def find(self, key: str) -> None:
        if key == "strange":
            raise RuntimeError("Nobody expected this.")


def test_whose_key_nobody_could_look_at_does_not_stay_and_keeps_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)

    async def work() -> None:
        door = Door(Authority())
        for key in ("strange", "revoked"):
            door.sockets._sockets[await door.come()].key = key
        while not door.is_empty():
            await asyncio.sleep(0.01)

    run(work)


def test_a_socket_that_nobody_can_look_at_keeps_nobody_from_being_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.05)

    async def fail() -> bool:
        raise RuntimeError("Nobody expected this.")

    async def work() -> None:
        door = Door(Authority())
        strange, other, revoked = [await door.come() for _ in range(3)]
        door.sockets.engine.sockets[strange].check_ping_timeout = fail
        door.sockets._sockets[revoked].key = "revoked"
        while door.sockets._sockets.keys() & {other, revoked}:
            await asyncio.sleep(0.01)

    run(work)


def test_those_who_watch_nothing_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(module, "STRANGERS", Crowd(5, 3))

    async def work() -> None:
        door = Door()
        sessions = [await door.come() for _ in range(8)]
        while len(door.sockets._sockets) > 3:
            await asyncio.sleep(0.01)
        # Those who came first.
        assert list(door.sockets._sockets) == sessions[-3:]

    run(work)


def test_where_it_is_full_nobody_is_let_in(settings: Any) -> None:
    settings.RELAY_LIVE_CONNECTIONS = 2

    async def work() -> None:
        door = Door()
        for _ in range(2):
            await door.come()
        assert (await door.ask())[0] == 503

    run(work)
