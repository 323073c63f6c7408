"""Who has which key, from memory: for what is asked too often to ask PostgreSQL each time.

What is remembered
    Valid tokens that were asked for, `MOST` at most: those that were not asked for the longest go. A key
    that nobody has is never remembered, so no guess takes anybody's place, and a new token is known at once.

How a change gets here
    One thread of the process looks at the mark (`models.RightsMark`) every `LOOK_SECONDS`. If it is
    another one, everything that is remembered is read again, in the same thread, so that nothing which was
    read before the mark can come in after it. First the mark, then the rows: what is committed between
    the two is read now, and once more after the next look. There is no notice that could be lost.
    Every `AGAIN_SECONDS` everything is read whatever the mark says: triggers can be switched off.

How long it holds
    From the beginning of the last look that ended well, `HOLD_SECONDS`. So as long as PostgreSQL answers,
    what is revoked is refused within a second; while it does not, what was known goes on for 30 s, and
    then nobody is let in: `Disconnected`, which is the answer 503.
    A process that was frozen knows what it knew before, until the look that it begins with.
    A token's expiry needs no look: how much of its life was left, by PostgreSQL's clock, is counted
    from before PostgreSQL was asked, so that it never lives longer here than there.

Threads
    Event loops call `known` and `find`; the thread alone asks PostgreSQL. What both touch is held
    under one lock, for moments. The thread begins with the first question, so after every fork.
"""

import asyncio
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

from django.db import Error as DatabaseError
from django.db import connection
from django.db.models import F

from access_app import tokens
from access_app.models import RightsMark, Token
from access_app.permissions import InScope
from relaybase.postgres.clock import ClockTimestamp
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


@dataclass(frozen=True, slots=True)
class Holder:
    """A valid token. `until`: when it expires, by `time.monotonic`."""

    id: int
    name: str
    scope: str
    until: float

    @property
    def who(self) -> str:
        """As limits count it."""
        return f"token:{self.id}"

    def refusal(self, right: str) -> str | None:
        """Why it has not this right, a scope; None if it has."""
        return None if self.scope in {right, Token.Scope.MANAGE} else InScope.message


Question = Future[Holder | None]


class Remembered:
    """For one process. `known` and `find` may be called from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._holders: OrderedDict[bytes, Holder] = OrderedDict()
        self._asked: dict[bytes, Question] = {}
        self._used: set[int] = set()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_over = False
        self._confirmed_at: float | None = None
        self._mark: object = _UNKNOWN
        self._look_at = self._read_at = self._noted_at = -float("inf")
        self._is_away = False

    # --- called by event loops ---------------------------------------------------------

    def known(self, key: str) -> Holder | None:
        """Who has this key, if that is remembered.

        Raises:
            Disconnected: for `HOLD_SECONDS` PostgreSQL has confirmed nothing.
        """
        digest, now = tokens.digest_of(key), self._clock()
        if self._confirmed_at is not None and now - self._confirmed_at > HOLD_SECONDS:
            raise Disconnected(AWAY)
        with self._lock:
            holder = self._holders.get(digest)
            if holder is None or now >= holder.until:
                return None
            self._holders.move_to_end(digest)
            self._used.add(holder.id)
        return holder

    async def find(self, key: str) -> Holder | None:
        """Who has this key, by PostgreSQL; remembered from now on. Who asks for it meanwhile waits along.

        Raises:
            Disconnected: it does not answer within `PATIENCE_SECONDS`, or `MOST` questions wait for it.
        """
        answer = asyncio.wrap_future(self._ask(tokens.digest_of(key)))
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

    def _ask(self, digest: bytes) -> Question:
        with self._lock:
            if len(self._asked) >= MOST:
                raise Disconnected(AWAY)
            question = self._asked.setdefault(digest, Future())
            if self._thread is None:
                # Not one of `logs.thread`: its lines are not of the request that came first.
                self._thread = threading.Thread(target=self._run, name="rights", daemon=True)
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

    def _turn(self, asked: dict[bytes, Question]) -> None:
        """Look if it is time, and answer what was asked."""
        try:
            self._look_if_due()
            self._answer(asked)
        except DatabaseError:
            # The connection may be one from before a restart. Another one says more.
            connection.close()
            self._look_at = -float("inf")
            self._look_if_due()
            self._answer(asked)
        if self._is_away:
            self._is_away = False
            log.info("PostgreSQL answers who has which token again")

    def _look_if_due(self) -> None:
        began = self._clock()
        if began < self._look_at:
            return
        self._look_at = began + LOOK_SECONDS  # If it fails as well.
        mark = RightsMark.objects.values_list("mark", flat=True).first()
        if mark != self._mark or began - self._read_at >= AGAIN_SECONDS:
            self._read_again()
            self._mark, self._read_at = mark, began
        self._confirmed_at = began
        if began - self._noted_at >= tokens.USED_EVERY.total_seconds():
            self._noted_at = began
            with self._lock:
                used, self._used = self._used, set()
            _note_use(used)

    def _read_again(self) -> None:
        with self._lock:
            remembered = list(self._holders)
        for some in _by_thousands(remembered):
            found = self._read(some)
            with self._lock:
                for digest in some:
                    if digest in found:
                        self._holders[digest] = found[digest]
                    else:
                        del self._holders[digest]

    def _answer(self, asked: dict[bytes, Question]) -> None:
        for some in _by_thousands(list(asked)):
            found = self._read(some)
            with self._lock:
                self._holders.update(found)
                while len(self._holders) > MOST:
                    self._holders.popitem(last=False)
            for digest in some:
                asked.pop(digest).set_result(found.get(digest))
            _note_use({holder.id for holder in found.values()})

    def _read(self, digests: Sequence[bytes]) -> dict[bytes, Holder]:
        """Those of them that are valid."""
        began = self._clock()
        left = F("expires_at") - ClockTimestamp()
        rows = Token.objects.valid().filter(digest__in=digests).annotate(left=left)
        return {
            bytes(digest): Holder(
                id, name, scope, began + left.total_seconds() if left is not None else float("inf")
            )
            for digest, id, name, scope, left in rows.values_list("digest", "id", "name", "scope", "left")
        }

    def _fail(self, exc: Exception, asked: dict[bytes, Question]) -> None:
        connection.close()
        for question in asked.values():
            question.set_exception(Disconnected(AWAY))
        if not isinstance(exc, DatabaseError):
            log.error("who has which token", exc_info=exc)
        elif not self._is_away:
            self._is_away = True
            log.warning("PostgreSQL does not say who has which token: %s", one_line(exc))


def _note_use(ids: set[int]) -> None:
    """Whether it can be noted is not what lets somebody in."""
    if not ids:
        return
    try:
        tokens.note_use(ids)
    except DatabaseError as exc:
        connection.close()
        log.warning("it cannot be noted which tokens are used: %s", one_line(exc))


def _by_thousands(digests: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for at in range(0, len(digests), _AT_ONCE):
        yield digests[at : at + _AT_ONCE]
