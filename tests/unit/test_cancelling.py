"""Who is told to end at the moment when what it waits for comes ends all the same.

Python 3.11's `asyncio.wait_for` answers then as if nobody had told it, so a loop would go on, and whoever
ends the event loop wait for it.
"""

import ast
import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import pytest

from live.tails import Tail, Topic
from messages_app.searching.arriving import _Watch
from relaycore.live.ring import Ring
from relaycore.position import START
from tests.side_by_side import ROOT

OURS = sorted(
    path
    for package in (*ROOT.glob("*_app"), *ROOT.glob("relay*"), ROOT / "live", ROOT / "clients/python/src")
    for path in package.rglob("*.py")
)


def waits_for_an_event(source: str) -> list[int]:
    """The lines in which `asyncio.wait_for` is given a `wait()`."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "asyncio.wait_for"
        and isinstance(node.args[0], ast.Call)
        and ast.unparse(node.args[0].func).endswith(".wait")
    ]


def test_nobody_waits_for_an_event_in_a_way_that_forgets_that_it_is_to_end() -> None:
    assert len(OURS) > 300
    assert {path: found for path in OURS if (found := waits_for_an_event(path.read_text()))} == {}
    assert waits_for_an_event("await asyncio.wait_for(self._woken.wait(), 1)") == [1]


async def _lingers() -> tuple[asyncio.Event, Coroutine[Any, Any, object]]:
    watch = _Watch(0)
    return watch._woken, watch._is_wanted()


class _Still(Tail):
    """Follows a channel in which nothing happens."""

    def __init__(self) -> None:
        super().__init__(lambda: pytest.fail("nobody reads"), 1)
        ring = Ring("orders", START, 1)
        self._topics["orders"] = Topic("orders", ring, None)  # type: ignore[arg-type]

    async def _turn(self, topics: Iterable[Topic]) -> None:
        pass

    def _sweep(self) -> None:
        pass


async def _follows() -> tuple[asyncio.Event, Coroutine[Any, Any, object]]:
    tail = _Still()
    return tail._woken, tail._run()


@pytest.mark.parametrize("make", [_lingers, _follows])
def test_a_loop_that_is_woken_and_cancelled_at_once_ends(
    make: Callable[[], Coroutine[Any, Any, Any]],
) -> None:
    async def story() -> None:
        woken, loop = await make()
        task = asyncio.create_task(loop)
        await asyncio.sleep(0.1)  # The first look of a tail is due at once.
        woken.set()
        task.cancel()
        await asyncio.wait({task}, timeout=0.5)
        assert task.cancelled()

    asyncio.run(story())
