"""Watching a channel from a thread, which has no event loop of its own: for a terminal."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, Self

from live.hub import Shown, Viewer, Wanted, hub
from relaybase.connections import async_redis
from relaycore.following.places import Document
from relaycore.live import ids
from relaycore.live.owed import GAP, RESET, Told
from subscribers_app.pulling.ahead import follower

_WHO: Final = "terminal"


class Watch:
    """One channel, above a position. Its event loop runs while somebody waits in `take`."""

    def __init__(self, channel: str, after: str) -> None:
        self._wanted = Wanted((channel,), _WHO, after=after)
        self._viewer: Viewer | None = None
        self._runner = asyncio.Runner()

    def take(self, seconds: float) -> Sequence[Document] | Told | None:
        """What comes next; None: nothing within this time.

        Raises:
            Disconnected, UnfitServer, PyMongoError, django.db.Error: a server does not answer, when it begins
                or after it was sent away.
        """
        found = self._runner.run(self._take(seconds))
        return [dict(entry.document) for entry in found.entries] if isinstance(found, Shown) else found

    @property
    def trouble(self) -> str:
        """What keeps it from reading on at this moment; empty: nothing."""
        return self._runner.run(self._trouble())

    def close(self) -> None:
        """It watches no more."""
        self._runner.run(self._close())
        self._runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def _take(self, seconds: float) -> Shown | Told | None:
        viewer = self._viewer
        if viewer is not None and viewer.reason is not None:
            viewer.close()
            viewer = self._viewer = None
        if viewer is None:
            viewer = self._viewer = await hub().open(self._wanted)
        if (found := await viewer.take()) is None:
            await viewer.wait(seconds)
            found = await viewer.take()
        if viewer.owed.is_told_all:  # Else its place is behind what was not told yet.
            self._wanted = replace(self._wanted, after=ids.parse(viewer.owed.place))
        return found

    @staticmethod
    async def _trouble() -> str:
        return hub().trouble

    async def _close(self) -> None:
        if self._viewer is not None:
            self._viewer.close()
        hub().close()
        follower().close()
        await async_redis().aclose()


def as_line(told: Told) -> str | None:
    """What a terminal is told beside messages; None: nothing."""
    data: Any = told.data
    if told.event == GAP:
        missed = data["missed_at_most"]
        count = "nobody knows how much was missed" if missed is None else f"at most {missed} missed"
        return f"Not heard from {data['from']} to {data['to'] or 'now'}: {data['cause']}; {count}"
    if told.event == RESET:
        return f"Not everything is here: {data['reason']}"
    return None
