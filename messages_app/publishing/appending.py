"""Appends what is published to one partition's stream: `relaycore.publishing.queue` says what and when."""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable

import hiredis
import redis

from messages_app.publishing.footing import Footing
from messages_app.publishing.line import AWAY, Line, Reply
from messages_app.publishing.looking import Looking
from relaybase import keys
from relaybase.redis import appending
from relaybase.redis.appending import Appended, Entry, Numbers
from relaybase.redis.wire import Argument
from relaycore import envelope, legacy
from relaycore.errors import Disconnected, NotTaken, UnfitServer
from relaycore.layout import MOVING
from relaycore.publishing.queue import Batch, Echo, Published, Queue
from relaycore.publishing.standing import Stood
from relaycore.refusals import Refusal, classify

log = logging.getLogger(__name__)

FULL = "Redis is nearly full, and takes no messages from publishers. Try again in a few seconds."
ALONE = "No replica has confirmed it, though it is on the stream. Send it again, with the same keys."
STOPPED = "It may have been appended, or not: Redis has not answered. Send it again, with the same keys."


_REPORT_EVERY_SECONDS = 5.0

_REPLICA_MS = 1000
"""So long a replica has time to confirm what was appended."""


class Appending:
    """For one partition and one event loop.

    misfits:       called when another layout stands beside the stream than this footing has
    is_replicated: it stands once a replica has it as well
    """

    def __init__(
        self,
        footing: Footing,
        line: Line,
        looking: Looking,
        misfits: Callable[[], object],
        *,
        is_replicated: bool = False,
    ) -> None:
        self._is_replicated = is_replicated
        self._footing = footing
        self._line = line
        self._looking = looking
        self._misfits = misfits
        self._queue = Queue()
        self._told: dict[Published, asyncio.Future[Stood]] = {}
        self._numbers = Numbers()
        self._name = uuid.uuid4().hex[:8]
        self._entries = 0
        self._held: Reply = None
        self._echoes: list[list[Echo]] = []
        self._reported_at = float("-inf")

    async def append(self, published: Published) -> Stood:
        """Where it stands, once it does.

        Raises:
            Disconnected: Redis does not answer. It may have been appended.
            NotTaken: Redis takes nothing, or nothing from publishers; or no replica confirms what stands.
            UnfitServer: everything is divided otherwise by now.
            redis.ResponseError: this user of Redis may not append.
        """
        if self._line.is_stuck:
            raise Disconnected(AWAY)
        told: asyncio.Future[Stood] = asyncio.get_running_loop().create_future()
        self._told[published] = told
        self._queue.add(published)
        self.turn()
        return await told

    def turn(self) -> None:
        """Send what is to be sent next."""
        if self._queue.is_empty:
            return
        if not self._line.is_open:
            self._line.need()
        elif self._looking.is_due:
            self._looking.look(self.turn)
        elif self._looking.is_full and not self._queue.is_under_way:
            self._fail(self._queue.give_up(), NotTaken(FULL))
        elif (batch := self._queue.next()) is not None:
            if self._is_replicated:
                # One after the other: the second one's answer is about the first one.
                self._line.call(self._command(batch), self._hold)
                self._line.call(("WAIT", 1, _REPLICA_MS), self._answer_held)
            else:
                self._line.call(self._command(batch), self._answer)

    def give_up(self, why: Exception) -> None:
        """Nobody can append now."""
        self._fail(self._queue.give_up(), why)

    def _command(self, batch: Batch) -> tuple[Argument, ...]:
        on = self._footing
        echoes = appending.cut(batch.echoes)
        # What is too much for one step goes out once all of it stands.
        self._echoes = echoes if len(echoes) > 1 else []
        return appending.publish_command(
            on.partition,
            list(map(self._entry, batch.entries)),
            layout=on.layout,
            known=self._numbers.upto,
            echoes=echoes[0] if len(echoes) == 1 else (),
            control=on.control,
            seal_key=on.seal_key,
        )

    def _entry(self, documents: list[bytes]) -> Entry:
        # Each entry has a source of its own: it may repeat what stands on the stream already.
        self._entries += 1
        return len(documents), (
            *(envelope.F_MESSAGES, len(documents)),
            *(envelope.F_SOURCE, f"http.{self._name}.{self._entries}"),
            *(envelope.F_BSON, b"".join(documents)),
        )

    def _hold(self, reply: Reply) -> None:
        self._held = reply

    def _answer_held(self, replicas: Reply) -> None:
        """What Redis has answered, now that so many replicas have it."""
        reply, self._held = self._held, None
        if not isinstance(reply, list) or (isinstance(replicas, int) and replicas):
            self._answer(reply)
        elif isinstance(replicas, Disconnected):
            self._answer(replicas)
        else:
            self._answer(reply, NotTaken(ALONE))

    def _answer(self, reply: Reply, lacking: NotTaken | None = None) -> None:
        """What Redis has answered. `lacking`: what publishers are told though it stands."""
        if isinstance(reply, Disconnected):
            self._queue.unknown()
        elif isinstance(reply, hiredis.ReplyError):
            self._fail(self._queue.refused(), self._refusal(str(reply)))
        else:
            try:
                self._stood(Appended.read(reply), lacking)
            except (TypeError, ValueError):
                # Whoever waits must be told, and what is under way must end.
                log.exception("partition %d: Redis has answered something else", self._footing.partition)
                self._fail(self._queue.give_up(), NotTaken(STOPPED))
        self.turn()

    def _stood(self, appended: Appended, lacking: NotTaken | None) -> None:
        self._numbers.learn(appended.upto)
        parts = self._queue.stood()
        self._looking.note(sum(part.size for part in parts))
        self._see_whether_it_went_out(appended.refused)
        on = self._footing
        for echoes in self._echoes:
            command = appending.echo_command(
                on.partition, echoes, layout=on.layout, control=on.control, seal_key=on.seal_key
            )
            self._line.call(command, self._went_out)
        self._announce(parts)
        for part in parts:
            _tell(self._told.pop(part), lacking or Stood(appended.ids, part.lengths, part.first))

    def _went_out(self, reply: Reply) -> None:
        """Whatever it says: it stands on the stream."""
        if not isinstance(reply, Disconnected):
            text = reply.decode(errors="replace") if isinstance(reply, bytes) else str(reply)
            self._see_whether_it_went_out(text)

    def _see_whether_it_went_out(self, refused: str) -> None:
        if refused:
            self._report("what was published to go out as PUBLISH too", refused)

    def _announce(self, parts: list[Published]) -> None:
        """For consumers of the older kind, if there are any."""
        if self._looking.consumers:
            for part in parts:
                for document in part.documents:
                    self._line.call(("PUBLISH", keys.LEGACY_CHANNEL, legacy.as_json(document)), _ignore)

    def _refusal(self, text: str) -> Exception:
        """What it means that Redis refuses with this."""
        self._report("to append what was published", text)
        if text.startswith("LAYOUT ") or " LAYOUT " in text:
            self._misfits()
            if f"here it is {MOVING}" in text:
                return UnfitServer("The channels are being moved to other partitions. Try again later.")
            return UnfitServer("Everything is divided otherwise by now. Try again in a few seconds.")
        match classify(text):
            case Refusal.FULL:
                return NotTaken("Redis takes no messages now. Try again in a few seconds.")
            case Refusal.WRONG_SERVER:
                # The next connection may lead to another one.
                self._line.drop(f"This Redis is not the one that takes writes: {text}")
                return Disconnected(AWAY)
            case Refusal.RIGHTS:
                return redis.ResponseError(text)
        return NotTaken("Redis refuses to append, the log says why. Try again in a few seconds.")

    def _report(self, what: str, why: str) -> None:
        now = time.monotonic()
        if now - self._reported_at >= _REPORT_EVERY_SECONDS:
            self._reported_at = now
            log.warning("partition %d: Redis refuses %s: %s", self._footing.partition, what, why)

    def _fail(self, parts: list[Published], why: Exception) -> None:
        for part in parts:
            _tell(self._told.pop(part), NotTaken(STOPPED) if part.may_repeat else why)


def _tell(future: asyncio.Future[Stood], what: Stood | Exception) -> None:
    if future.done():
        return  # Whoever waited has gone.
    if isinstance(what, Exception):
        future.set_exception(what)
    else:
        future.set_result(what)


def _ignore(reply: Reply) -> None:
    """Nobody waits for it."""
