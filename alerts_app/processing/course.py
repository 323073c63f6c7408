"""One rule in the hands of one processor: what is read of its channel, and what its time is."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from alerts_app.processing.frontiers import InForce
from alerts_app.processing.known import KnownRule
from alerts_app.processing.opening import Standing
from alerts_app.processing.writing import Kept
from messages_app.searching.feed import Feed
from messages_app.searching.passing import Passed
from relaycore.alerting.items import Input, Keep, Made
from relaycore.alerting.processing import Processing
from relaycore.alerting.times import reached
from relaycore.following.places import Page

_REST_MS: Final = 600_000


class Course:
    """For the thread of the processor.

    partition: of its channel; to_partition: of that to which its outputs go
    trouble:   what it cannot do, in a sentence; empty: nothing
    """

    def __init__(self, rule: KnownRule, standing: Standing, feed: Feed, partition: int) -> None:
        self.rule = rule
        self.partition = partition
        self.trouble = ""
        self.is_closed = False
        self.processing = Processing(
            rule.uuid,
            standing.shard,
            standing.of,
            standing.frontier,
            standing.in_force.kind,
            standing.states,
            standing.earlier,
        )
        self._of = standing.of
        self._outputs = standing.outputs
        self._in_force = standing.in_force
        self._wanted: InForce | None = None
        self._feed = feed
        self._read: deque[Input] = deque()
        self._asked: tuple[int, Passed, str] | None = None
        self._reached = 0
        """This time is reached once what is read was taken."""

    def set(self, wanted: InForce) -> None:
        """It is to be set to this."""
        self._wanted = wanted

    @property
    def is_changing(self) -> bool:
        """Whether it waits to be set to something else."""
        return self._wanted is not None

    @property
    def waits_for(self) -> int:
        """The time that has to come for something to go on, ms since 1970.

        What has nothing to do comes further now and then all the same: retention stays behind it.
        """
        waits, rests = self.processing.waits_for, self.processing.time + _REST_MS
        return rests if waits is None else min(waits, rests)

    @property
    def is_full(self) -> bool:
        """Whether it takes nothing, since too much of what it has said is not stored."""
        return not self.processing.room and not self.is_changing

    def advance(self) -> bool:
        """Take what has come; whether something was taken.

        Raises:
            Exception: what `Feed.take` raises.
        """
        took = False
        while room := self.processing.room:
            if not self._read and not self._turn_page():
                break
            took = True
            self.processing.take([self._read.popleft() for _ in range(min(room, len(self._read)))])
        if self._reached and not self._read:
            self.processing.reach(self._reached)
            self._reached = 0
            took = True
        if self._wanted is not None and self.processing.adopt(self._wanted.revision, self._wanted.kind):
            self._in_force, self._wanted = self._wanted, None
            took = True
        return took

    def let_pass(self, passed: Passed, mark: str) -> None:
        """Redis says this now: a time is reached by what is stored from here on. It is looked at once.

        Not by what was stored before: if the clock of Redis has fallen back since, something has come below.
        """
        self._asked = self._feed.ask(), passed, mark

    @property
    def is_looking(self) -> bool:
        """Whether it waits for what is stored by now."""
        return self._asked is not None

    def outputs(self) -> list[Made]:
        """What is to be appended now."""
        return self.processing.outputs()

    def stored(self, ids: Sequence[bytes]) -> None:
        """These outputs are."""
        self._outputs += len(ids)
        self.processing.stored(ids)

    def lost(self, ids: Iterable[bytes]) -> None:
        """These were not appended, or are gone: they are to be appended again."""
        self.processing.lost(ids)

    def let_go(self, id: bytes) -> None:
        """This one cannot be appended, ever."""
        self.processing.stored([id])

    def keep(self) -> tuple[Keep, Kept] | None:
        """What is to be kept now; None: nothing, or not yet."""
        keep = self.processing.keep()
        if keep is None:
            return None
        # Other settings come into force with a write of their own, and not before the one ahead of it stands.
        return keep, Kept(self.rule.uuid, keep, self._in_force, self.rule.kind, self._of, self._outputs)

    def stop(self) -> None:
        """Nothing more is taken."""
        self._feed.close()

    def close(self) -> None:
        """It is let go: nothing of it is kept any more."""
        self.is_closed = True
        self._feed.close()

    # --- inside --------------------------------------------------------------------------

    def _turn_page(self) -> bool:
        """Whether there are messages to be taken now."""
        while not self._read:
            if self._reached or (page := self._take_page()) is None:
                return False
            self._read.extend(map(Input.of, page.messages))
            if page.is_at_tail and self._asked is not None and page.turn >= self._asked[0]:
                _, passed, mark = self._asked
                self._asked, self._reached = None, reached(page.below, passed.last_id, mark)
        return True

    def _take_page(self) -> Page | None:
        try:
            return self._feed.take(0)
        except BaseException:
            self._asked = None  # Whatever it was to show: it is to be asked again.
            raise
