"""What was heard and had to be let go: a fact, which needs no term to be written."""

import time
from dataclasses import dataclass
from typing import Final

from channels_app.models import Gap
from relaycore.capturing.ticks import Tick
from relaycore.times import from_milliseconds

_STRETCH_MS: Final = 1000


@dataclass(frozen=True, slots=True)
class GivenUp:
    """So many messages were heard from `began` to `ended` (ms since 1970), and had to be let go."""

    began: int
    ended: int
    messages: int


class Losses:
    """Messages that were heard and had to be let go: a gap for each stretch of time in which it happened.

    True while there are some that no gap speaks of. They were heard between two ticks, so those say when.
    """

    def __init__(self) -> None:
        self._messages = 0
        self._began = self._ended = 0
        self._is_new = False
        self._last = 0
        self._last_heard_at = 0.0

    def __bool__(self) -> bool:
        return self._messages > 0

    def add(self, messages: int, since: Tick | None) -> None:
        """So many more, that were heard after this tick."""
        self._messages += messages
        if since is not None:
            self._began = min(self._began or since.at, since.at)
        self._is_new = True

    def heard(self, tick: Tick) -> GivenUp | None:
        """A tick was heard; the stretch, if it is over."""
        self._last, self._last_heard_at = tick.at, time.monotonic()
        if not self:
            return None
        if self._is_new:
            self._is_new = False
            self._ended = tick.at
            return None
        return self._take() if tick.at - self._ended >= _STRETCH_MS else None

    def close(self) -> GivenUp | None:
        """No tick will come that ends the stretch; the stretch, if there is one.

        Without any tick nothing is known beyond the leader before: the next one counts from there.
        """
        if not self or not self._last:
            self._messages = 0
            return None
        if self._is_new:
            self._ended = self._last + round(1000 * (time.monotonic() - self._last_heard_at))
        return self._take()

    def _take(self) -> GivenUp:
        began = self._began or self._ended
        gap = GivenUp(began, max(began, self._ended), self._messages)
        self._messages = self._began = 0
        self._is_new = False
        return gap


def write_loss(loss: GivenUp, partition: int) -> None:
    """Write what was given up: a fact that no later term can know better.

    Raises:
        django.db.Error: PostgreSQL does not answer.
    """
    Gap.objects.get_or_create(
        partition=partition,
        channel="",
        cause=Gap.Cause.MEMORY_FULL,
        began_at=from_milliseconds(loss.began),
        ended_at=from_milliseconds(loss.ended),
        missed_at_most=loss.messages,
    )
