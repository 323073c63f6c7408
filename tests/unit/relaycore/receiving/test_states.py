"""What goes on is what one by one comes to; what is told is told when it changes."""

import json

from hypothesis import given
from hypothesis import strategies as st

from relaycore.alerting.labelled.posted import Alert
from relaycore.receiving import states
from relaycore.receiving.states import State

_TIMES = st.integers(0, 12)


def _alert(starts: int, ends: int, *, is_timed_out: bool = False) -> Alert:
    return Alert("f", {"a": "b"}, {}, "", starts, ends, is_timed_out)


@st.composite
def _alerts(draw: st.DrawFn) -> Alert:
    starts = draw(_TIMES)
    return _alert(starts, starts + draw(_TIMES), is_timed_out=draw(st.booleans()))


@given(_alerts(), st.booleans(), _alerts(), _TIMES)
def test_what_goes_on_is_what_is_taken_one_by_one_and_tells_nothing(
    known: Alert, is_firing: bool, said: Alert, at: int
) -> None:
    before = State(known, is_firing)
    if states.goes_on(before, said, at):
        taken = states.take({"f": before}, [said], at)
        assert taken.states == {"f": states.gone_on(before, said)}
        assert taken.told == []


@given(st.lists(_alerts(), max_size=6), _TIMES)
def test_what_is_told_is_told_in_turn_and_is_what_is_known(said: list[Alert], at: int) -> None:
    taken = states.take({"f": states.unknown(_alert(0, 5))}, said, at)
    told = [json.loads(one)["status"] for one in taken.told]
    assert told == ["firing", "resolved"] * (len(told) // 2) + ["firing"] * (len(told) % 2)
    assert taken.states["f"].is_firing is bool(len(told) % 2)


def test_what_fires_another_time_before_somebody_has_ended_it_is_told_to_end_first() -> None:
    known = {"f": State(_alert(1, 5), is_firing=True)}
    told = [json.loads(one) for one in states.take(known, [_alert(8, 20)], 9).told]
    assert [(one["status"], one["startsAt"][-5:]) for one in told] == [
        ("resolved", ".001Z"),
        ("firing", ".008Z"),
    ]
    # It goes on if it began before its end, and if its sender says no times.
    assert not states.take(known, [_alert(1, 20)], 9).told
    assert not states.take(known, [_alert(8, 20, is_timed_out=True)], 9).told


@given(_alerts(), _TIMES)
def test_what_is_over_is_ended_once(known: Alert, at: int) -> None:
    before = State(known, is_firing=True)
    assert states.is_over(before, at) is (known.ends <= at)
    after, message = states.end(before)
    assert json.loads(message)["status"] == "resolved"
    assert not states.is_over(after, at)


def test_what_has_been_over_for_long_is_forgotten_and_nothing_else() -> None:
    over, fires = State(_alert(0, 5), is_firing=False), State(_alert(0, 5), is_firing=True)
    late = 10 + states.KEPT_MS + 1
    assert states.is_forgotten(over, 10, late)
    assert not states.is_forgotten(over, 10, late - 1)
    assert not states.is_forgotten(fires, 10, late)
