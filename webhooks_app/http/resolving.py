"""From names to addresses, by the system's resolver, whatever name servers do.

`getaddrinfo` takes as long as name servers like, and cannot be broken off: its thread waits until it is done.
So that nobody waits for the name servers of others, a name is asked for in one of three lanes:

=======  ===========================================  ========================================
lane     of names that                                and so wait for
=======  ===========================================  ========================================
known    had an address, and soon, the last time      others that were well until just now
new      nobody has asked for yet, or had no address  others of which nobody knows how they are
slow     took long the last time                      others that did
=======  ===========================================  ========================================

In each so many are asked for at once. One that takes longer than `SLOW_SECONDS` is late: its thread waits on,
and the next name has its turn, as long as not too many are late.

A name that is asked for already is not asked for twice. A thread lives for one question; none keeps the
process from ending.
"""

import asyncio
import errno
import socket
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

KEPT_SECONDS: Final = 5.0
"""So long an answer holds, from when it was asked for."""

SLOW_SECONDS: Final = 1.0

KNOWN: Final = (16, 32)
NEW: Final = (16, 128)
SLOW: Final = (4, 32)
"""Threads of each lane: of questions that are not late, and of late ones. After a start all names are new."""

MOST_NAMES: Final = 10_000
"""Of those whose answer is kept, and of those that took long."""

Place = tuple[str, int]
LookUp = Callable[[str, int], Sequence[str]]
Found = Sequence[str] | OSError


def look_up(host: str, port: int) -> Sequence[str]:
    """Its addresses, in the order in which the system would try them. OSError: it has none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Resolver:
    """Of one event loop. `look_up`: asks for one name, and blocks."""

    def __init__(self, look_up: LookUp = look_up) -> None:
        self._look_up = look_up
        self._loop = asyncio.get_running_loop()
        lanes = [_Lane(self._loop, threads, self._ask_system, self._told) for threads in (KNOWN, NEW, SLOW)]
        self._known, self._new, self._slow = lanes
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
        lane = self._lane_of(place)
        lane.put(_Question(place, lane))
        return future

    def _lane_of(self, place: Place) -> "_Lane":
        if place[0] in self._took_long:
            return self._slow
        return self._known if place in self._kept else self._new

    def _ask_system(self, question: "_Question") -> None:
        """In a thread."""
        began, found = time.monotonic(), self._answer(*question.place)
        with suppress(RuntimeError):  # The event loop has ended meanwhile.
            self._loop.call_soon_threadsafe(self._told, question, began, found)

    def _answer(self, host: str, port: int) -> Found:
        try:
            return self._look_up(host, port)
        except OSError as exc:
            return exc
        except Exception as exc:  # Such as a name that cannot be encoded: who waits has to be told.
            return OSError(errno.EINVAL, str(exc))

    def _told(self, question: "_Question", began: float, found: Found) -> None:
        place = question.place
        question.lane.done(question)
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


@dataclass(slots=True, eq=False)
class _Question:
    """One name that is asked for.

    late: while it is asked for and not late: what says when it is
    """

    place: Place
    lane: "_Lane"
    late: asyncio.TimerHandle | None = None


class _Lane:
    """So many questions at once that are not late, and so many late ones; the others wait in order.

    threads: of those, and of these
    ask:     asks for one, in a thread
    told:    is told of one for which there is no thread
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        threads: tuple[int, int],
        ask: Callable[[_Question], None],
        told: Callable[[_Question, float, Found], None],
    ) -> None:
        self._loop = loop
        self._left, self._left_late = threads
        self._ask, self._told = ask, told
        self._waiting: deque[_Question] = deque()

    def put(self, question: _Question) -> None:
        """As soon as there is room."""
        self._waiting.append(question)
        self._go_on()

    def done(self, question: _Question) -> None:
        """It has been answered."""
        if question.late is None:
            self._left_late += 1
        else:
            question.late.cancel()
            self._left += 1
        self._go_on()

    def _go_on(self) -> None:
        while self._left and self._waiting:
            self._left -= 1
            self._begin(self._waiting.popleft())

    def _begin(self, question: _Question) -> None:
        self._watch(question)
        try:
            threading.Thread(target=self._ask, args=(question,), name="resolver", daemon=True).start()
        except RuntimeError:
            none = OSError(errno.ENOMEM, "no threads are left")
            self._loop.call_soon(self._told, question, time.monotonic(), none)

    def _watch(self, question: _Question) -> None:
        question.late = self._loop.call_later(SLOW_SECONDS, self._be_late, question)

    def _be_late(self, question: _Question) -> None:
        if not self._left_late:
            self._watch(question)  # Some may have been answered by then.
            return
        question.late = None
        self._left_late -= 1
        self._left += 1
        self._go_on()
