"""What was heard, on its way to the stream: in order, in bounded memory, until Redis has it."""

import logging
import random
import uuid
from collections import deque
from collections.abc import Callable

import hiredis

from channels_app.listening.outlet import Outlet, Reply
from relaybase import keys
from relaybase.redis import appending
from relaybase.redis.appending import Numbers
from relaybase.redis.wire import Argument
from relaycore import envelope
from relaycore.backoff import Backoff
from relaycore.capturing.capture import Piece
from relaycore.capturing.ticks import Tick
from relaycore.layout import Layout

log = logging.getLogger(__name__)

_REPORT_EVERY_SECONDS = 5.0


class Appender:
    """Appends pieces to one stream, one at a time.

    `numbers` are those of the partition's messages. `memory_bytes` bounds what waits: beyond it
    new messages are given up and counted by `give_up`, with a tick that came before them.
    `announce` is called with the documents of each piece that stands.

    epoch:            of the term in which is appended
    confirmed:        everything heard before this tick stands, or was given up
    waiting_messages: so many are not on the stream yet
    refused:          what Redis said when it last refused to append; empty if it has taken it since
    """

    def __init__(
        self,
        outlet: Outlet,
        partition: int,
        layout: Layout,
        numbers: Numbers,
        memory_bytes: int,
        give_up: Callable[[int, Tick | None], None],
        announce: Callable[[list[bytes]], None],
    ) -> None:
        self._outlet = outlet
        self._partition = partition
        self._layout = str(layout)
        self._stream = keys.stream(partition)
        self.epoch = 0
        self._numbers = numbers
        self._name = uuid.uuid4().hex[:8]
        self._memory_bytes = memory_bytes
        self._give_up = give_up
        self._announce = announce
        self._waiting: deque[Piece] = deque()
        self._waiting_bytes = 0
        self.waiting_messages = 0
        self._under_way = False
        self._backoff = Backoff()
        self._not_before = 0.0
        self._refusal: Exception | None = None
        self._given_up = 0
        self._reported_at = float("-inf")
        self.appended = 0
        self.refused = ""
        self.confirmed: Tick | None = None
        self._last: Tick | None = None

    @property
    def is_empty(self) -> bool:
        """Whether everything that was added stands on the stream, or was given up."""
        return not self._waiting

    def add(self, pieces: list[Piece], now: float) -> None:
        """Take over what one read brought."""
        for piece in pieces:
            if self._waiting_bytes + piece.size > self._memory_bytes:
                self._lose(len(piece.documents), now)
                continue
            self._waiting_bytes += piece.size
            self.waiting_messages += len(piece.documents)
            if self._can_join(piece):
                last = self._waiting[-1]
                last.documents += piece.documents
                last.size += piece.size
                last.mark = piece.mark or last.mark
            else:
                self._waiting.append(piece)

    def mark(self, tick: Tick) -> None:
        """This tick was heard: it is `confirmed` once everything that was added so far stands."""
        self._last = tick
        if self._waiting:
            self._waiting[-1].mark = tick
        else:
            self.confirmed = tick

    def turn(self, now: float) -> None:
        """Append what waits, if nothing is under way."""
        if self._refusal is not None:
            self._put_off(now, self._refusal)
            self._refusal = None
        if self._waiting and not self._under_way and self._outlet.is_open and now >= self._not_before:
            self._under_way = True
            self._outlet.call(self._command(self._waiting[0]), self._answer)

    def abandon(self, *, held: bool) -> int:
        """Let go what still waits; how many messages. `held`: a standby has proved that it holds them."""
        abandoned, self.waiting_messages = self.waiting_messages, 0
        self._waiting.clear()
        if abandoned and not held:
            self._give_up(abandoned, self.confirmed)
        return abandoned

    def _can_join(self, piece: Piece) -> bool:
        # The first one may be under way: what was sent must be what is sent again.
        first_open = 2 if self._under_way else 1
        return len(self._waiting) >= first_open and not self._waiting[-1].is_full and not piece.reason

    def _command(self, piece: Piece) -> tuple[Argument, ...]:
        source = f"{self.epoch}.{self._name}.{self._outlet.connections}"
        messages = len(piece.documents)
        fields: tuple[Argument, ...] = (
            *(envelope.F_MESSAGES, messages),
            *(envelope.F_SOURCE, source),
            *(envelope.F_BSON, b"".join(piece.documents)),
        )
        if piece.reason:
            fields += (envelope.F_REASON, piece.reason)
        known = self._numbers.upto
        return appending.command(self._partition, messages, fields, layout=self._layout, known=known)

    def _answer(self, reply: Reply) -> None:
        self._under_way = False
        if isinstance(reply, Exception):
            self._refusal = reply
            return
        self._backoff.reset()
        self._numbers.learn(int(reply[1]))
        piece = self._waiting.popleft()
        self._waiting_bytes -= piece.size
        self.waiting_messages -= len(piece.documents)
        self.refused = ""
        self.appended += len(piece.documents)
        self.confirmed = piece.mark or self.confirmed
        self._announce(piece.documents)

    def _put_off(self, now: float, why: Exception) -> None:
        wait = self._backoff.next(random.random())
        self._not_before = now + wait
        if isinstance(why, hiredis.ReplyError):
            self.refused = str(why)
            log.warning(
                "%s: Redis refuses to append (%s); %d messages wait, next try in %.1f s",
                self._stream,
                why,
                self.waiting_messages,
                wait,
            )

    def _lose(self, messages: int, now: float) -> None:
        self._give_up(messages, self._last)
        self._given_up += messages
        if now - self._reported_at >= _REPORT_EVERY_SECONDS:
            self._reported_at = now
            log.error(
                "%s: %d messages were given up so far: %d MiB wait for Redis, and "
                "RELAY_LISTENER_MEMORY_BYTES allows no more",
                self._stream,
                self._given_up,
                self._waiting_bytes >> 20,
            )
