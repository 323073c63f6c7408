"""The connections of one target, and what waits for them."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Iterable, Sequence

from relaycore.outbound.addresses import Allowed
from relaycore.sending.answers import Answer, Failure
from webhooks_app.http.connection import Connection
from webhooks_app.http.exchange import Around, Exchange, Stage
from webhooks_app.http.failures import Failed
from webhooks_app.http.opening import connect
from webhooks_app.http.target import Target

log = logging.getLogger(__name__)

_MAY_NOT = Failed(Failure.OURS, "The sender may send no more.")
_STOPS = Failed(Failure.OURS, "The sender stops.")
_TOO_LATE = {
    Stage.WAITING: Failed(Failure.OURS, "No connection was free in time."),
    Stage.NAME: Failed(Failure.NAME, "The name was not resolved in time."),
    Stage.CONNECTING: Failed(Failure.CONNECT_TIMEOUT, "No connection was made in time."),
    Stage.WRITTEN: Failed(Failure.TIMEOUT, "No answer came in time."),
}


class Pool:
    """Of one target.

    under_way: what has no answer yet, the oldest first: all have the same time
    """

    def __init__(self, target: Target, around: Around) -> None:
        self.under_way: dict[Exchange, None] = {}
        self._target = target
        self._around = around
        self._connections: set[Connection] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self._idle: list[Connection] = []
        """The one that was used last is used next, so that those that are too many grow old in front."""
        self._waiting: deque[Exchange] = deque()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing here."""
        return not (self.under_way or self._connections or self._opening)

    @property
    def idle(self) -> Sequence[Connection]:
        """Those that carry nothing."""
        return self._idle

    # --- exchanges -----------------------------------------------------------------------

    def send(self, exchange: Exchange) -> None:
        """It is under way from now on."""
        self.under_way[exchange] = None
        self._begin(exchange)

    def refuse(self, exchange: Exchange, failed: Failed) -> None:
        """It is not sent. Nobody is called back from within his own call."""
        self.under_way[exchange] = None
        self._around.loop.call_soon(self.fail, exchange, failed)

    def again(self, exchange: Exchange) -> None:
        """Its connection had ended before it was asked: once more, on one that has not been used."""
        exchange.is_again = True
        exchange.connection = None
        exchange.stage = Stage.WAITING
        self._open(exchange)

    def anew(self, exchange: Exchange) -> None:
        """Its connection has ended before anything was written: as if it came just now."""
        exchange.connection = None
        exchange.stage = Stage.WAITING
        self._begin(exchange)

    def withhold(self, connection: Connection, exchange: Exchange) -> None:
        """It may not be sent, and nothing was written."""
        self.refuse(exchange, _MAY_NOT)
        if connection.is_last:
            connection.abort()
        else:
            self.keep(connection)

    def end(self, exchange: Exchange, answer: Answer) -> None:
        """It has its answer. One that had it before does not get another."""
        if exchange not in self.under_way:
            return
        del self.under_way[exchange]
        try:
            exchange.done(answer)
        except Exception:  # Whatever it is, it must not be taken for the endpoint's.
            log.exception("What was to be done with an answer has failed.")

    def fail(self, exchange: Exchange, failed: Failed) -> None:
        """There will be no answer."""
        # What was written on a connection that had just been closed may have been taken all the same.
        is_written = exchange.is_again or exchange.stage is Stage.WRITTEN
        is_unsent = failed.failure is Failure.OURS and not is_written
        seconds = time.monotonic() - exchange.since
        self.end(exchange, Answer(None, failed.failure, failed.detail, seconds=seconds, is_unsent=is_unsent))

    def expire(self, now: float) -> None:
        """End what is past its deadline."""
        while self.under_way:
            oldest = next(iter(self.under_way))
            if oldest.deadline > now:
                return
            self._let_go(oldest, _TOO_LATE[oldest.stage])

    def _let_go(self, exchange: Exchange, failed: Failed) -> None:
        answer = exchange.connection.let_go() if exchange.connection else None
        if exchange.opening:
            exchange.opening.cancel()
        if answer is not None:
            self.end(exchange, answer)
        else:
            self.fail(exchange, failed)

    def _begin(self, exchange: Exchange) -> None:
        if self._idle:
            self._idle.pop().begin(exchange)
        elif self._has_room:
            self._open(exchange)
        else:
            self._waiting.append(exchange)
            self._line_up()

    def _line_up(self) -> None:
        """What waits here waits for one of its own; without any it waits for what others give up."""
        if not self._own:
            self._around.room.wait(self)

    def _may_be_sent(self, exchange: Exchange) -> bool:
        if exchange not in self.under_way:
            return False
        if self._around.may_send():
            return True
        self.refuse(exchange, _MAY_NOT)
        return False

    # --- connections ---------------------------------------------------------------------

    def keep(self, connection: Connection) -> None:
        """It is free. Whoever waits is next, unless another target has none."""
        if self._around.room.is_wanted:
            self._around.room.give_up(connection)
            return
        while self._waiting:
            exchange = self._waiting.popleft()
            if self._may_be_sent(exchange):
                connection.begin(exchange)
                return
        self._idle.append(connection)

    def part(self, connection: Connection) -> None:
        """Nothing may be begun on it any more."""
        if connection in self._idle:
            self._idle.remove(connection)

    def lost(self, connection: Connection) -> None:
        """It has ended, and there is room for another one."""
        if connection in self._connections:
            self._connections.remove(connection)
            self._around.room.free()
        self.go_on()

    def close_idle(self, before: float) -> None:
        """End those that have carried nothing since `before`."""
        while self._idle and self._idle[0].idle_since <= before:
            self._idle[0].abort()

    def allow(self, networks: Allowed) -> None:
        """Keep no connection to what may not be connected to any more."""
        refused = [one for one in self._connections if not networks.takes(one.address)]
        self._keep_no_more(one for one in refused if one.is_asked)
        for connection in refused:
            if not connection.is_asked:
                connection.abort()

    def forget(self) -> None:
        """End its connections, those in use with their answer. One that is being made is still used."""
        self._keep_no_more(self._connections)

    def close(self) -> None:
        """End everything."""
        for exchange in list(self.under_way):
            self._let_go(exchange, _STOPS)
        for connection in list(self._connections):
            connection.abort()

    def _keep_no_more(self, connections: Iterable[Connection]) -> None:
        for connection in list(connections):
            if connection in self._idle:
                connection.abort()
            else:
                connection.is_last = True

    def go_on(self) -> None:
        """There may be room for those who wait."""
        while self._waiting and self._has_room:
            exchange = self._waiting.popleft()
            if exchange in self.under_way:
                self._open(exchange)
        if self._waiting:
            self._line_up()

    @property
    def _own(self) -> int:
        return len(self._connections) + len(self._opening)

    @property
    def _has_room(self) -> bool:
        return self._own < self._target.max_connections and self._around.room.takes(self._own)

    def _open(self, exchange: Exchange) -> None:
        exchange.opening = self._around.loop.create_task(self._connect(exchange))
        self._opening.add(exchange.opening)
        self._around.room.take()
        # One that is given up before it has begun ends here, too.
        exchange.opening.add_done_callback(self._opened)

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        self._around.room.free()
        self.go_on()

    async def _connect(self, exchange: Exchange) -> None:
        made: list[Connection] = []
        connection: Connection | None = None

        def make(address: str) -> Connection:
            made.append(Connection(self, address, self._around.writing))
            return made[-1]

        try:
            connection = await connect(self._target, self._around, exchange, make)
        except Failed as failed:
            self.fail(exchange, failed)
        except Exception as exc:  # Else whoever waits for it would wait for ever.
            log.exception("A connection could not be made.")
            self.fail(exchange, Failed(Failure.OURS, f"No connection can be opened: {type(exc).__name__}."))
        finally:
            exchange.opening = None
            for other in made:
                if other is not connection:
                    other.abort()
        if connection is not None:
            self._take(connection, exchange)

    def _take(self, connection: Connection, exchange: Exchange) -> None:
        if connection.is_last:
            self.fail(exchange, Failed(Failure.RESET, "The connection was closed before anything was sent."))
            return
        self._connections.add(connection)
        self._around.room.take()
        if not self._around.networks.takes(connection.address):
            connection.abort()
            self.fail(exchange, Failed(Failure.ADDRESS, "It leads to no address that may be connected to."))
        elif self._may_be_sent(exchange):
            connection.begin(exchange)
        else:
            self.keep(connection)
