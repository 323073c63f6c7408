"""The client: requests go in, and each is answered once."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from relaycore.errors import BadHeaders
from relaycore.outbound.addresses import Allowed
from relaycore.sending.answers import Failure
from webhooks_app.http.exchange import Around, Done, Exchange, Resolve
from webhooks_app.http.failures import Failed
from webhooks_app.http.pool import Pool
from webhooks_app.http.resolving import Resolver
from webhooks_app.http.room import MOST_FILES, Room
from webhooks_app.http.target import Head, Target

SCAN_SECONDS: Final = 0.1
"""So often deadlines are looked at."""

SWEEP_SECONDS: Final = 1.0
"""So often connections that carry nothing, and targets that have none: with thousands it takes a while."""

IDLE_SECONDS: Final = 30.0
"""So long a connection is kept that carries nothing. Many servers close theirs after 60 s or more."""

_HELD_UP_SECONDS: Final = 5 * SCAN_SECONDS


class Client:
    """Of the event loop in which it is made.

    networks: what may be connected to
    resolve:  from names to addresses; None: as the system does
    may_send: is asked right before each request is written. While it says no, none is
    most_connections: to all targets together
    """

    def __init__(
        self,
        networks: Allowed,
        *,
        resolve: Resolve | None = None,
        may_send: Callable[[], bool] = lambda: True,
        most_connections: int = MOST_FILES,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._pools: dict[Target, Pool] = {}
        room = Room(most_connections, self._pools.values())
        self._around = Around(loop, networks, resolve or Resolver(), may_send, room)
        self._next_scan: asyncio.TimerHandle | None = None
        self._scanned_at = self._swept_at = 0.0
        self._has_spared = False
        self._is_closed = False

    @property
    def under_way(self) -> int:
        """How many requests have no answer yet."""
        return sum(len(pool.under_way) for pool in self._pools.values())

    def send(self, target: Target, head: Head, body: bytes, done: Done) -> None:
        """Write a request, or have it wait for one of the target's connections.

        done: is called once, later. What it raises is logged
        """
        pool = self._pools.get(target) or self._pool(target)
        now = time.monotonic()
        exchange = Exchange(done, now, now + target.timeout_seconds)
        try:
            exchange.data = target.request(head, body)
        except BadHeaders as exc:
            pool.refuse(exchange, Failed(Failure.REQUEST, str(exc)))
            return
        if self._is_closed:
            pool.refuse(exchange, Failed(Failure.OURS, "The sender has stopped."))
            return
        pool.send(exchange)

    def forget(self, target: Target) -> None:
        """Close its connections, those in use once they have their answer. What waits is still sent."""
        if target in self._pools:
            self._pools[target].forget()

    def allow(self, networks: Allowed) -> None:
        """Connect to these from now on, and keep no connection to others."""
        self._around.networks = networks
        for pool in self._pools.values():
            pool.allow(networks)

    def close(self) -> None:
        """End everything. What is under way is told so at once."""
        self._is_closed = True
        for pool in list(self._pools.values()):
            pool.close()
        if self._next_scan is not None:
            self._next_scan.cancel()

    def _pool(self, target: Target) -> Pool:
        pool = self._pools[target] = Pool(target, self._around)
        if self._next_scan is None:
            self._scan_later()
        return pool

    def _scan_later(self) -> None:
        self._scanned_at = time.monotonic()
        self._next_scan = self._around.loop.call_later(SCAN_SECONDS, self._scan)

    def _scan(self) -> None:
        now = time.monotonic()
        # While the loop was held up answers may have come, which are read before the next time. One that is
        # held up all the time spares nobody twice: a deadline would never come.
        self._has_spared = now - self._scanned_at > _HELD_UP_SECONDS and not self._has_spared
        if not self._has_spared:
            for pool in [pool for pool in self._pools.values() if pool.under_way]:
                pool.expire(now)
        if now - self._swept_at >= SWEEP_SECONDS:
            self._swept_at = now
            self._sweep(now)
        self._next_scan = None
        if self._pools and not self._is_closed:
            self._scan_later()

    def _sweep(self, now: float) -> None:
        for target, pool in list(self._pools.items()):
            pool.close_idle(now - IDLE_SECONDS)
            if pool.is_empty:
                del self._pools[target]
