"""How the acceptance tests tell what comes late from what is lost."""

from collections.abc import Callable
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from tests.acceptance.relaying import relays, relays_again


class Lossy:
    """A stack that loses the first messages, and records that or does not."""

    def __init__(self, lost: int, *, records: bool = False, covered: bool = False) -> None:
        self.redis, self.http = SimpleNamespace(publish=self._publish), SimpleNamespace(get=self._get)
        self.published: list[str] = []
        self._lost, self._records, self._covered = lost, records, covered

    def is_active(self, _channel: str) -> bool:
        return True

    def texts(self, _channel: str) -> list[str]:
        return sorted(set(self.published[self._lost :]))

    def _publish(self, _channel: str, text: str) -> int:
        self.published.append(text)
        return 1

    def _get(self, _address: str, params: dict[str, str]) -> Any:
        assert datetime.fromisoformat(params["since"]) < datetime.fromisoformat(params["until"])
        gaps = [{"covered": self._covered}] if self._records else []
        return SimpleNamespace(status_code=200, json=lambda: {"results": gaps})


def soon(condition: Callable[[], object], seconds: float = 0, what: str = "") -> None:
    """As `wait_until`, without the waiting."""
    assert any(condition() for _ in range(20)), what


def test_what_is_stored_at_once_is_published_once() -> None:
    for relay in (relays, relays_again):
        stack: Any = Lossy(lost=0)
        relay(stack, "orders", "a", soon)
        assert stack.published == ["a"]


@pytest.mark.parametrize("lost", [1, 3])
def test_what_lies_in_a_gap_is_published_again(lost: int) -> None:
    stack: Any = Lossy(lost, records=True)
    relays_again(stack, "orders", "a", soon)
    assert len(stack.published) == lost + 1


@pytest.mark.parametrize("covered", [False, True])
def test_what_is_lost_without_a_record_is_noticed(covered: bool) -> None:
    """A gap that another listener has heard is a record of nothing."""
    stack: Any = Lossy(lost=1, records=covered, covered=covered)
    with pytest.raises(AssertionError, match="a stored"):
        relays_again(stack, "orders", "a", soon)


def test_nothing_is_lost_where_nothing_was_harmed() -> None:
    stack: Any = Lossy(lost=1, records=True)
    with pytest.raises(AssertionError, match="a stored"):
        relays(stack, "orders", "a", soon)
