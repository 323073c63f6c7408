"""What a listener asks of its Redis beside its work, on its command connection: nothing here waits.

That connection is the one that counts: another one may lead elsewhere, or may be another user's. And the
main loop has no thread that could ask on one of its own without being one more thing to end.
"""

from typing import Any, Final

from channels_app.listening.outlet import Outlet, Reply
from channels_app.listening.output_buffer import OutputBuffer
from relaybase.watching import EVERY_SECONDS, Soundness
from relaycore.errors import Disconnected
from relaycore.fitness import fields_of, of_buffer, of_redis

_ASK_LIMIT: Final = ("CONFIG", "GET", "client-output-buffer-limit")


class Watching:
    """Looks whether Redis has become unfit, and how much waits there for this listener."""

    def __init__(self, outlet: Outlet, partition: int) -> None:
        self._outlet = outlet
        self._output_buffer = OutputBuffer(outlet, partition)
        self._soundness = Soundness()
        self._next_at = 0.0
        self._info: dict[str, str] | None = None

    @property
    def trouble(self) -> str:
        """Why Redis would lose messages, and what to do about it; empty: nothing speaks against it."""
        return self._soundness.trouble

    def turn(self, now: float, client_id: int | None) -> None:
        """Ask, if it is time. `client_id`: of the data connection, as Redis counts them; None: not known."""
        self._output_buffer.turn(now, client_id)
        if not self._outlet.is_open:
            # That Redis is away is said elsewhere; who answers next may be another server.
            self._soundness.forget()
            self._next_at = now
        elif now >= self._next_at:
            self._next_at = now + EVERY_SECONDS
            self._outlet.call(("INFO",), self._learn)
            self._outlet.call(_ASK_LIMIT, self._judge)

    def _learn(self, reply: Reply) -> None:
        self._info = fields_of(reply) if isinstance(reply, bytes) else None

    def _judge(self, reply: Reply) -> None:
        if self._info is not None and not isinstance(reply, Disconnected):
            self._soundness.learn([*of_redis(self._info), *of_buffer(_limit_in(reply))])


def _limit_in(reply: Any) -> str | None:
    return reply[1].decode() if isinstance(reply, list) and len(reply) == 2 else None
