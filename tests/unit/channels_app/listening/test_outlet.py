"""Replies and callbacks, while the connection ends in the middle of them."""

from collections.abc import Callable
from typing import Any, cast

import hiredis

from channels_app.listening.outlet import Outlet, Reply
from relaybase.redis.wire import Argument, Wire
from relaycore.errors import Disconnected


class _Dying:
    """A connection that has replies, and ends when anything is sent after they came."""

    def __init__(self, *replies: Any) -> None:
        self._replies = list(replies)
        self._is_dead = False

    def send(self, *_: tuple[Argument, ...]) -> None:
        if self._is_dead:
            raise Disconnected("gone")

    def flush(self) -> None:
        pass

    def receive(self) -> list[Any]:
        self._is_dead = True
        return self._replies

    def close(self) -> None:
        pass


def _outlet(wire: _Dying, refused: Callable[[str], object] = str) -> Outlet:
    outlet = Outlet("test", refused)
    outlet._wire = cast(Wire, wire)
    return outlet


def test_a_callback_that_sends_while_the_connection_dies_ends_nothing() -> None:
    outlet, later, second = _outlet(_Dying(b"1", b"2")), list[Reply](), list[Reply]()
    outlet.call(("GET", "a"), lambda _: outlet.call(("PING",), later.append))
    outlet.call(("GET", "b"), second.append)

    outlet.turn(0.0, 3.0)

    assert [type(reply) for reply in (*second, *later)] == [Disconnected, Disconnected]
    assert not outlet.is_open


def test_who_is_told_of_an_error_and_sends_while_the_connection_dies_ends_nothing() -> None:
    error, first, second, later = hiredis.ReplyError("READONLY"), list[Reply](), list[Reply](), list[Reply]()
    outlet = _outlet(_Dying(error, b"2"), refused=lambda _: outlet.call(("PING",), later.append))
    outlet.call(("GET", "a"), first.append)
    outlet.call(("GET", "b"), second.append)

    outlet.turn(0.0, 3.0)

    assert first == [error], "each asker has one answer, and its own"
    assert [type(reply) for reply in (*second, *later)] == [Disconnected, Disconnected]
