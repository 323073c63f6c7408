"""One subscription: what is read of it, and what becomes of that."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from relaycore.delivering.giving import Standing
from relaycore.delivering.holding import Held
from relaycore.delivering.leasing import Rows
from relaycore.errors import one_line
from relaycore.position import at_millisecond
from relaycore.sending.batches.batch import Batch
from relaycore.sending.items import WITHHELD, Done, Item, Outcome, Progress, Withheld
from relaycore.sending.window import Window
from subscribers_app.pulling import archive
from subscribers_app.pulling.ahead import Source
from subscribers_app.pulling.choosing import Choosing
from subscribers_app.pulling.counting import counted
from webhooks_app.sending.clock import StreamClock
from webhooks_app.sending.known import Hook
from webhooks_app.sending.share import Share
from webhooks_app.sending.together import Together, settle, take

_AGAIN_SECONDS: Final = 1.0
_ASKED_SECONDS: Final = 3.0


class Course:
    """One subscription of this shard, in the event loop.

    id:    of the subscription
    clock: by which messages are as old as they are
    came:  is called when there is something to try
    share: what it may read ahead
    """

    def __init__(self, hook: Hook, clock: StreamClock, came: Callable[[], object]) -> None:
        self.hook = hook
        self.id = hook.subscription.id
        self._clock = clock
        self._came = came
        self._is_active = hook.subscription.is_active
        self.window: Window | None = None
        self._together: Together | None = None
        self.trouble = ""
        """Why nothing of it is read; empty: nothing speaks against it."""
        self._source = self._source_of(hook)
        self._counted = counted(hook.subscription.id)
        self._done = self._nacked = 0
        self._reading: asyncio.Task[None] | None = None
        self._may_be_more = True
        """Whether there may be something new to read: else somebody says so."""
        self.share = Share()
        self.has_rows = False
        """Whether it may have rows that are on their way: then PostgreSQL is asked each second."""
        self._is_resting, self._is_closed = True, False
        self._again: asyncio.TimerHandle | None = None

    @property
    def is_keyed(self) -> bool:
        """Whether it is in order by a field."""
        return self._choosing.key_of is not None

    @property
    def needs_load(self) -> bool:
        """Whether it has to be known first where it stands."""
        return self.window is None or self.window.needs_load

    @property
    def wants_look(self) -> bool:
        """Whether it goes on only once PostgreSQL has said how its rows stand."""
        return self.window is not None and self.window.wants_look

    def set(self, hook: Hook) -> None:
        """It is set to this by now, or was sought."""
        self.hook = hook
        self._is_active = hook.subscription.is_active
        self._let_go()
        if self.window is not None:
            self.window.missed()

    def load(self, standing: Standing, dead_upto: str) -> None:
        """It stands so. What was set when that was asked may be another thing than what is known here."""
        if standing.revision != self.hook.subscription.revision:
            return
        if self.window is None:
            self.window = Window(standing, self.hook.subscription.settings, dead_upto=dead_upto)
        else:
            self.window.load(standing, self.hook.subscription.settings, dead_upto)
        self._may_be_more = True
        self.read_on()

    # --- trying --------------------------------------------------------------------------

    def next(self) -> Item | Batch | None:
        """What is to be tried next; None: nothing, or not now."""
        window = self.window
        can_tell = self.hook.most_age_ms is None or self._clock.is_known
        if window is None or not (self._is_active and can_tell) or self._is_closed:
            return None
        item = take(window, self._together)
        if item is not None and self.hook.most_age_ms is not None:
            item = self._young(window, item)
        if item is None or (self._may_be_more and window.queued < self._few):
            self.read_on()
        return item

    def _young(self, window: Window, item: Item | Batch | None) -> Item | Batch | None:
        """The next one that is not older than is wanted: what was read just now, or is due again, may be."""
        before = self._wanted_from
        while item is not None and item.position < before:
            settle(window, item, WITHHELD)
            window.expire(before)
            # It is to be recorded. Not from here: whoever asks is asked what is next by that.
            asyncio.get_running_loop().call_soon(self._came)
            item = take(window, self._together)
        return item

    @property
    def _wanted_from(self) -> str:
        """What stands below this position is older than is wanted; empty: nothing is too old."""
        most_age = self.hook.most_age_ms
        return "" if most_age is None else at_millisecond(self._clock.now() - most_age)

    @property
    def _few(self) -> int:
        """It is read on once there are so few."""
        few, most = self.share.few, self.hook.most_together
        return few if most is None else max(few, min(most, self.share.together))

    def settle(self, item: Item | Batch, outcome: Outcome) -> None:
        """What came of it."""
        count = 1 if self.window is None else settle(self.window, item, outcome)
        if isinstance(outcome, Done):
            self._done += count
        elif not isinstance(outcome, Withheld):
            self._nacked += count

    def count(self) -> None:
        """What has come of messages since this was called last is counted."""
        done, nacked, self._done, self._nacked = self._done, self._nacked, 0, 0
        self._counted.handed_out(done + nacked)
        self._counted.done(done)
        self._counted.nacked(nacked)

    def turn(self) -> None:
        """A second has passed: what is older than it wants is not tried, and what has ripened is read."""
        if self.hook.subscription.delay_ms:
            self._come()
        if self.window is not None and (before := self._wanted_from):
            self.window.expire(before)
            self._came()

    def look(self, standing: Standing, rows: Rows) -> None:
        """What PostgreSQL says of its rows."""
        if self.window is not None:
            self.window.look(standing, rows)
            self.has_rows = bool(rows.outstanding)
            self.read_on()

    def recorded(self, progress: Progress) -> None:
        """That is committed."""
        if self.window is not None:
            self.window.recorded(progress)
            self.has_rows |= progress.touches_rows
            if self.window.opened:
                self.read_on()

    def missed(self) -> None:
        """What was to be recorded was not, or nobody knows."""
        if self.window is not None:
            self.window.missed()
            self._source.close()

    # --- reading -------------------------------------------------------------------------

    def rest(self) -> None:
        """Nothing of it can be sent for a while: what was read ahead is let go, but for what is at hand."""
        if not self._is_resting:
            self._is_resting = True
            self._let_go()

    def _come(self) -> None:
        self._may_be_more = True
        self.read_on()

    def wake(self) -> None:
        """It can be."""
        self._is_resting = False
        self.read_on()

    def read_on(self) -> None:
        """Read, unless somebody does, or there is enough."""
        if self._reading is None and self._again is None and self._wants_more:
            self._reading = asyncio.create_task(self._read())
            self._reading.add_done_callback(self._has_read)

    @property
    def _wants_more(self) -> bool:
        window = self.window
        if window is None or window.needs_load or self._is_resting or self._is_closed or not self._is_active:
            return False
        return bool(window.unread or window.opened) or (
            self._may_be_more and window.queued < self._few and window.room > 0
        )

    async def _read(self) -> None:
        try:
            while self._wants_more and await self._read_some():
                self._came()
            self.trouble = ""
        except Exception as exc:  # Whatever it is: it is looked again, and shown.
            self.trouble = f"Subscription {self.hook.subscription.name}: {one_line(exc)}"
            self._source.close()
            self._may_be_more = True
            self._again = asyncio.get_running_loop().call_later(_AGAIN_SECONDS, self._read_again)

    def _read_again(self) -> None:
        self._again = None
        if not self._wants_more:
            self.trouble = ""  # It has what it needs, or waits for something else that is shown.
        self.read_on()

    async def _read_some(self) -> bool:
        """Whether there may be more."""
        window, source = self.window, self._source
        if window is None:
            return False
        if window.unread:
            ids = [row.id for row in window.unread]
            found = await archive.find(self.hook.subscription.channel, ids, self.share.size)
            window.read(found)
            return bool(found)
        if opened := window.opened:
            return await self._reread(window, opened)
        place = window.place
        self._may_be_more = False  # Before it is looked: what comes meanwhile is told.
        read = await source.stand(place)
        if self.trouble:  # It ends when something was read, and not when nobody has said anything yet.
            await source.ask(_ASKED_SECONDS)
        most, size = min(window.room, max(self.share.most, self._few)), self.share.size
        await source.collect(most, size)
        ahead, documents = read.ahead(most, size, self._ripe_before())
        expired = await source.expired()
        self.trouble = ""  # Now: its answer to `ask` is told of, so there may be more, each time it is asked.
        if source is not self._source or not window.add(ahead, documents, expired):
            return False
        self._may_be_more |= window.place != place
        return self._may_be_more

    async def _reread(self, window: Window, opened: Sequence[Held]) -> bool:
        """What waits behind others of its key: where nothing is in its way any more, the next of it."""
        chosen, generation = self._choosing, window.place.generation
        key_of = partial(chosen.key_below, generation=generation)
        waited = await archive.reread(self.hook.subscription.channel, opened, key_of, self.share.size)
        if chosen is not self._choosing or window.needs_load or generation != window.place.generation:
            return False  # It is set to something else, or was sought.
        return window.reread(waited.reread, waited.documents)

    def _has_read(self, task: "asyncio.Task[None]") -> None:
        if self._reading is task:  # And not one that was let go.
            self._reading = None
            self._came()

    def _ripe_before(self) -> str | None:
        delay = self.hook.subscription.delay_ms
        return at_millisecond(self._clock.now() - delay) if delay else None

    def _let_go(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
        self._source.close()
        self._source = self._source_of(self.hook)
        self._may_be_more = True
        self.trouble = ""  # If it is to be read, that says how it is.

    def _source_of(self, hook: Hook) -> Source:
        known = hook.subscription
        self._choosing = chosen = Choosing(known)
        if self._together is not None:
            self._together.close()
        is_keyed, most = chosen.key_of is not None, hook.most_together
        self._together = None if most is None else Together(most, self._came, is_keyed=is_keyed)
        return Source(known.channel, chosen.wants, self._come, known.revision, chosen.key_of)

    def close(self) -> None:
        """Nothing more is sent of it here."""
        self._is_closed = True
        self.count()
        if self._together is not None:
            self._together.close()
        for one in (self._again, self._reading):
            if one is not None:
                one.cancel()
        with contextlib.suppress(Exception):
            self._source.close()
