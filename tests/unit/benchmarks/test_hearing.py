"""A peer that does other work than Relay is not compared with it."""

from typing import Any

import pytest

from benchmarks import hearing
from benchmarks.target import WrongResult


def alert(event: str = "open", place: str = "a", end: str = "2026-11-21T12:15:00Z") -> dict[str, Any]:
    times = {"startTime": "2026-11-21T12:00:00.000400+00:00", "endTime": end}
    return {"location": place, "eventType": event, "type": "Fire", **times}


def test_the_same_in_another_order_and_form_is_the_same() -> None:
    mine = [alert(), alert("close", end="2026-11-21T12:15:00.000100+00:00")]
    hearing.require_same(hearing.told(mine), hearing.told([alert("close"), alert()]))


@pytest.mark.parametrize(
    "heard",
    [
        [],
        [alert()],
        [alert(), alert("close"), alert("close")],
        [alert(), alert("close", place="b")],
        [alert(), alert("close", end="2026-11-21T12:15:01Z")],
    ],
)
def test_what_is_told_otherwise_is_no_result(heard: list[dict[str, Any]]) -> None:
    with pytest.raises(WrongResult, match="otherwise than Relay"):
        hearing.require_same(hearing.told(heard), hearing.told([alert(), alert("close")]))


def test_a_page_hears_alerts_and_nothing_else() -> None:
    page = hearing.Page()
    for text in ("2", '42["other",{"a":1}]', '42["alert",{"location":"a"}]'):
        page.hear(text)
    assert page.heard == [{"location": "a"}]
