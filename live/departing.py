"""Whether a client has gone away, without a task that waits for it."""

import asyncio
from collections.abc import Callable
from typing import Any

from relaybase.http.bodies import Receive


class Departure:
    """Takes what the server says of a request that is being answered, and calls `gone` once it is over.

    `receive` waits for the next thing to be said. It is run here step by step, by what it waits for: as a
    task would run it, whose memory each connection would have to pay for.
    """

    __slots__ = ("_gone", "_is_over", "_receive", "_steps", "_waits")

    def __init__(self, receive: Receive, gone: Callable[[], object]) -> None:
        self._receive = receive
        self._gone = gone
        self._waits: asyncio.Future[Any] | None = None
        self._is_over = False
        self._steps = receive().__await__()
        self._step()

    def close(self) -> None:
        """Nobody wants to know any more."""
        self._is_over = True
        if self._waits is not None:
            self._waits.remove_done_callback(self._step)
            self._waits = None
        self._steps.close()

    def _step(self, _: object = None) -> None:
        while not self._is_over:
            try:
                waits = self._steps.send(None)
            except StopIteration as done:
                if done.value["type"] == "http.disconnect":
                    self._is_over = True
                    self._gone()
                    return
                self._steps = self._receive().__await__()
                continue
            self._waits = waits
            if waits is None:  # It only lets others go first.
                asyncio.get_running_loop().call_soon(self._step)
                return
            # What a task does with what it is given to wait for.
            waits._asyncio_future_blocking = False
            waits.add_done_callback(self._step)
            return
