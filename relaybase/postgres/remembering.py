"""What PostgreSQL says of single keys, from memory: for what is asked too often to ask it each time.

What is remembered
    What was asked for and found, `MOST` at most: what was not asked for the longest goes. A key of which
    nothing is found is never remembered, so no guess takes anybody's place, and what is new is known at once.

How a change gets here
    One thread of the process looks at a mark every `LOOK_SECONDS`: a row of chance that triggers make
    another one in each transaction that changes what is remembered. If it is another one, everything that is
    remembered is read again, in the same thread, so that nothing which was read before the mark can
    come in after it: a thousand at a time, what was asked for last first, and between them whatever is
    asked for meanwhile. First the mark, then the rows: what is committed between the two is read now, and
    once more after the next look. There is no notice that could be lost.
    Every `AGAIN_SECONDS` everything is read whatever the mark says: triggers can be switched off.

How long it holds
    From the beginning of the last look that ended well, `HOLD_SECONDS`. So as long as PostgreSQL answers,
    what has changed counts within a second (two, where `MOST` are remembered); while it does not, what was
    known goes on for 30 s, and then nothing is known: `Disconnected`, which is the answer 503.
    A process that was frozen knows what it knew before, until the look that it begins with.

Threads
    Event loops call `recall` and `learn`; the thread alone asks PostgreSQL. What both touch is held
    under one lock, for moments. The thread begins with the first question, so after every fork.
"""

import asyncio
import logging
import threading
import time
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import ClassVar, Final, Generic, TypeVar

from django.db import Error as DatabaseError
from django.db import connection

from relaycore.errors import Disconnected, one_line

log = logging.getLogger(__name__)

MOST: Final = 10_000
LOOK_SECONDS: Final = 0.75
AGAIN_SECONDS: Final = 30.0
HOLD_SECONDS: Final = 30.0
PATIENCE_SECONDS: Final = 5.0
"""A question to PostgreSQL that takes longer is given up."""

_AT_ONCE: Final = 1000

AWAY: Final = "PostgreSQL does not answer. Try again in a few seconds."

_UNKNOWN: Final = object()

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Remembering(ABC, Generic[Key, Value]):
    """For one process. `recall` and `learn` may be called from any thread.

    subject: what is remembered, as the log says it: "who has which token"
    thread:  the name of the thread
    """

    subject: ClassVar[str]
    thread: ClassVar[str]

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._remembered: OrderedDict[Key, Value] = OrderedDict()
        self._asked: dict[Key, Future[Value | None]] = {}
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_over = False
        self._confirmed_at: float | None = None
        self._mark: object = _UNKNOWN
        self._look_at = self._read_at = -float("inf")
        self._is_away = False

    # --- what there is to say of a table ------------------------------------------------

    @abstractmethod
    def _read_mark(self) -> object:
        """The mark, as PostgreSQL has it. In the thread; may raise `django.db.Error`."""

    @abstractmethod
    def _read(self, keys: Sequence[Key]) -> Mapping[Key, Value]:
        """What is found of these keys, a thousand at most. In the thread; may raise `django.db.Error`."""

    def _is_over_for(self, value: Value, now: float) -> bool:
        """Whether what is remembered has ended by itself."""
        return False

    def _recalled(self, value: Value) -> None:
        """It was asked for. Under the lock."""

    def _looked(self, began: float) -> None:
        """A look has ended well. In the thread."""

    def _learned(self, found: Mapping[Key, Value]) -> None:
        """Somebody has asked, and this was found. In the thread."""

    # --- called by event loops ---------------------------------------------------------

    def recall(self, key: Key) -> Value | None:
        """What is remembered of this key.

        Raises:
            Disconnected: for `HOLD_SECONDS` PostgreSQL has confirmed nothing.
        """
        now = self._clock()
        if self._confirmed_at is not None and now - self._confirmed_at > HOLD_SECONDS:
            raise Disconnected(AWAY)
        with self._lock:
            value = self._remembered.get(key)
            if value is None or self._is_over_for(value, now):
                return None
            self._remembered.move_to_end(key)
            self._recalled(value)
        return value

    async def learn(self, key: Key) -> Value | None:
        """What PostgreSQL says of it; remembered from now on. Who asks for it meanwhile waits along.

        Raises:
            Disconnected: it does not answer within `PATIENCE_SECONDS`, or `MOST` questions wait for it.
        """
        answer = asyncio.wrap_future(self._ask(key))
        try:
            return await asyncio.wait_for(asyncio.shield(answer), PATIENCE_SECONDS)
        except TimeoutError:
            raise Disconnected(AWAY) from None

    def close(self) -> None:
        """End the thread, and its connection. For tests: a process ends it with itself."""
        with self._lock:
            self._is_over = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _ask(self, key: Key) -> Future[Value | None]:
        with self._lock:
            if len(self._asked) >= MOST:
                raise Disconnected(AWAY)
            question = self._asked.setdefault(key, Future())
            if self._thread is None:
                # Not one of `logs.thread`: its lines are not of the request that came first.
                self._thread = threading.Thread(target=self._run, name=self.thread, daemon=True)
                self._thread.start()
        self._wake.set()
        return question

    # --- the thread --------------------------------------------------------------------

    def _run(self) -> None:
        while not self._is_over:
            self._wake.wait(max(0.0, self._look_at - self._clock()))
            self._wake.clear()
            with self._lock:
                asked, self._asked = self._asked, {}
            try:
                self._turn(asked)
            except Exception as exc:
                self._fail(exc, asked)
        connection.close()

    def _turn(self, asked: dict[Key, Future[Value | None]]) -> None:
        """Look if it is time, and answer what was asked."""
        try:
            self._look_if_due(asked)
            self._answer(asked)
        except DatabaseError:
            # The connection may be one from before a restart. Another one says more.
            connection.close()
            self._look_at = -float("inf")
            self._look_if_due(asked)
            self._answer(asked)
        if self._is_away:
            self._is_away = False
            log.info("PostgreSQL answers %s again", self.subject)

    def _look_if_due(self, asked: dict[Key, Future[Value | None]]) -> None:
        began = self._clock()
        if began < self._look_at:
            return
        self._look_at = began + LOOK_SECONDS  # If it fails as well.
        mark = self._read_mark()
        if mark != self._mark or began - self._read_at >= AGAIN_SECONDS:
            self._read_again(asked)
            self._mark, self._read_at = mark, began
        self._confirmed_at = began
        self._looked(began)

    def _read_again(self, asked: dict[Key, Future[Value | None]]) -> None:
        """What was asked for last comes first. Who asks meanwhile waits for a thousand, not for all."""
        with self._lock:
            remembered = list(reversed(self._remembered))
        for some in _by_thousands(remembered):
            self._answer(asked)
            with self._lock:
                asked |= self._asked
                self._asked = {}
            self._answer(asked)
            found = self._read(some)
            with self._lock:
                for key in (
                    self._remembered.keys() & some
                ):  # What was asked for meanwhile may be in its place.
                    if key in found:
                        self._remembered[key] = found[key]
                    else:
                        del self._remembered[key]

    def _answer(self, asked: dict[Key, Future[Value | None]]) -> None:
        for some in _by_thousands(list(asked)):
            found = self._read(some)
            with self._lock:
                self._remembered.update(found)
                while len(self._remembered) > MOST:
                    self._remembered.popitem(last=False)
            for key in some:
                asked.pop(key).set_result(found.get(key))
            self._learned(found)

    def _fail(self, exc: Exception, asked: dict[Key, Future[Value | None]]) -> None:
        connection.close()
        for question in asked.values():
            question.set_exception(Disconnected(AWAY))
        if not isinstance(exc, DatabaseError):
            log.error("%s", self.subject, exc_info=exc)
        elif not self._is_away:
            self._is_away = True
            log.warning("PostgreSQL does not say %s: %s", self.subject, one_line(exc))


def _by_thousands(keys: Sequence[Key]) -> Iterator[Sequence[Key]]:
    for at in range(0, len(keys), _AT_ONCE):
        yield keys[at : at + _AT_ONCE]
