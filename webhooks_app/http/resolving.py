"""From names to addresses, by the system's resolver, whatever name servers do.

`getaddrinfo` takes as long as name servers like, and cannot be broken off: its thread waits until it is done.
So names that took long are asked for in a lane of their own the next time: a hundred of them, whose servers
are silent, wait for each other. A name that is asked for already is not asked for twice. A thread lives for
one question; none keeps the process from ending.
"""

import asyncio
import errno
import socket
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

KEPT_SECONDS: Final = 5.0
"""So long an answer holds, from when it was asked for."""

SLOW_SECONDS: Final = 1.0
QUICK_THREADS: Final = 16
SLOW_THREADS: Final = 4

MOST_NAMES: Final = 10_000
"""Of those whose answer is kept, and of those that took long."""

Place = tuple[str, int]
LookUp = Callable[[str, int], Sequence[str]]


def look_up(host: str, port: int) -> Sequence[str]:
    """Its addresses, in the order in which the system would try them. OSError: it has none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Resolver:
    """Of one event loop. `look_up`: asks for one name, and blocks."""

    def __init__(self, look_up: LookUp = look_up) -> None:
        self._look_up = look_up
        self._loop = asyncio.get_running_loop()
        self._quick, self._slow = _Lane(QUICK_THREADS), _Lane(SLOW_THREADS)
        self._kept: OrderedDict[Place, tuple[float, Sequence[str]]] = OrderedDict()
        self._asked: dict[Place, asyncio.Future[Sequence[str]]] = {}
        self._took_long: OrderedDict[str, None] = OrderedDict()

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Its addresses. OSError: there are none."""
        until, addresses = self._kept.get((host, port), (0.0, ()))
        if time.monotonic() < until:
            return addresses
        # Others may wait for it as well: whoever gives up does not end it.
        return await asyncio.shield(self._asked.get((host, port)) or self._ask((host, port)))

    def _ask(self, place: Place) -> "asyncio.Future[Sequence[str]]":
        future = self._asked[place] = self._loop.create_future()
        # An error of what nobody waits for any more is nobody's.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        lane = self._slow if place[0] in self._took_long else self._quick

        def ask() -> None:
            began, found = time.monotonic(), self._answer(*place)
            with suppress(RuntimeError):  # The event loop has ended meanwhile.
                self._loop.call_soon_threadsafe(self._told, place, lane, began, found)

        def give_up() -> None:
            self._told(place, lane, time.monotonic(), OSError(errno.ENOMEM, "no threads are left"))

        lane.start(ask, give_up)
        return future

    def _answer(self, host: str, port: int) -> Sequence[str] | OSError:
        """In a thread."""
        try:
            return self._look_up(host, port)
        except OSError as exc:
            return exc
        except Exception as exc:  # Such as a name that cannot be encoded: who waits has to be told.
            return OSError(errno.EINVAL, str(exc))

    def _told(self, place: Place, lane: "_Lane", began: float, found: Sequence[str] | OSError) -> None:
        lane.done()
        self._took_long.pop(place[0], None)
        if time.monotonic() - began > SLOW_SECONDS:
            self._took_long[place[0]] = None
        future = self._asked.pop(place)
        if isinstance(found, OSError):
            future.set_exception(found)
        else:
            self._kept[place] = (began + KEPT_SECONDS, found)
            self._kept.move_to_end(place)
            future.set_result(found)
        for known in (self._kept, self._took_long):
            if len(known) > MOST_NAMES:
                known.popitem(last=False)


class _Lane:
    """So many questions at once; the others wait in order."""

    def __init__(self, threads: int) -> None:
        self._left = threads
        self._waiting: deque[tuple[Callable[[], None], Callable[[], None]]] = deque()

    def start(self, ask: Callable[[], None], give_up: Callable[[], None]) -> None:
        """As soon as there is room. `give_up`: is called in the event loop if no thread can be made."""
        if not self._left:
            self._waiting.append((ask, give_up))
            return
        self._left -= 1
        try:
            threading.Thread(target=ask, name="resolver", daemon=True).start()
        except RuntimeError:
            asyncio.get_running_loop().call_soon(give_up)

    def done(self) -> None:
        """One has been answered."""
        self._left += 1
        if self._waiting:
            self.start(*self._waiting.popleft())
