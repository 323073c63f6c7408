"""The endpoints of one shard, while one term lasts: one event loop."""

import asyncio
from collections.abc import Callable
from typing import Final

import uvloop

from leases_app.leasing import Condition, Term
from leases_app.rounds import Rounds
from relaybase.connections import close_async
from subscribers_app.pulling.ahead import follower
from subscribers_app.pulling.clerk import clerk
from webhooks_app.sending.working import Working

_STOPPING_LOOK_SECONDS: Final = 0.1


class Shard:
    """The endpoints of one shard. `run` is called once, in a thread that has no event loop."""

    def __init__(self, term: Term) -> None:
        self._term = term
        self._trouble = ""
        self._out = 0
        self._rounds = Rounds()

    def condition(self) -> Condition:
        """How this sender is. Asked by another thread: it does not wait."""
        return Condition(waiting=self._out, trouble=self._rounds.trouble(self._trouble))

    def run(self, stopping: Callable[[], bool], may_send: Callable[[], bool]) -> None:
        """Until `stopping()`. `may_send`: asked right before each attempt."""
        loop = uvloop.new_event_loop()
        try:
            loop.run_until_complete(self._run(stopping, may_send))
        finally:
            # Not by `asyncio.Runner`, which would wait for threads that a server keeps.
            loop.close()

    async def _run(self, stopping: Callable[[], bool], may_send: Callable[[], bool]) -> None:
        working = Working(self._term, may_send)
        try:
            while not (stopping() or working.is_lost):
                self._trouble, self._out = working.trouble, working.out
                self._rounds.come()
                await asyncio.sleep(_STOPPING_LOOK_SECONDS)
            await working.stop()
        finally:
            working.close()
            follower().close()
            clerk().end()
            await close_async()
