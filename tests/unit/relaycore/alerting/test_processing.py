"""One rule in one shard in one term: what is said, what waits, and what is kept when."""

import itertools
from dataclasses import replace
from typing import Any

import pytest

from relaycore.alerting import causes, making, processing
from relaycore.alerting.items import Frontier, Keep, KeptState, Made
from relaycore.alerting.kinds.absence import Absence
from relaycore.alerting.kinds.window import Window
from relaycore.alerting.labelled import group
from relaycore.alerting.labelled.transitions import written
from relaycore.alerting.naming import alert_id, output_id, shard_of
from relaycore.alerting.processing import Processing
from relaycore.position import START, before_millisecond

from .inputs import MINUTE, RULE, T0, WINDOW, alert, fresh, message, of, position

KIND = Window(WINDOW)
OTHER = Window({**WINDOW, "merge": {"type": "Several"}})


def ids(made: list[Made]) -> list[bytes]:
    return [one.id for one in made]


def kept(one: Processing) -> Keep:
    keep = one.keep()
    assert keep is not None
    one.kept(keep)
    return keep


def again(keep: Keep, kind: Any = KIND, states: Any = None, known_from: str = "") -> Processing:
    """The next term, from what was kept."""
    found = dict(keep.states) if states is None else states
    return Processing(RULE, 0, 1, replace(keep.frontier, known_from=known_from), kind, found)


# --- what is said ----------------------------------------------------------------------------


def test_what_is_said_carries_where_it_comes_from() -> None:
    one = of(KIND)
    one.take([alert(0, 0, 5)])
    (made,) = one.outputs()
    assert made.id == output_id(RULE, 1, made.key, position(0), "open", 0)
    assert made.attributes == {
        "rule": RULE,
        "revision": "1",
        "event": "open",
        "cause": position(0),
        "alert-id": alert_id(RULE, '["Berlin"]', position(0)),
    }


def test_how_often_webhooks_have_sent_a_message_goes_on_to_what_is_said_of_it_at_once() -> None:
    one = of(KIND)
    one.take([alert(0, 0, 5)._replace(attributes={"relay-hops": "3", "kind": "x"}), alert(1, 0, 5)])
    one.reach(T0 + 5 * MINUTE)
    # What time has closed is of both of them: the least.
    assert [(made.output.kind, made.attributes.get("relay-hops")) for made in one.outputs()] == [
        ("open", "3"),
        ("open", None),
        ("close", None),
    ]


@pytest.mark.parametrize("is_kept", [False, True])
def test_what_time_says_has_the_least_number_of_the_messages_that_it_is_of(is_kept: bool) -> None:
    one = of(KIND)
    for number, came in enumerate(("5", "3", "4")):
        one.take([alert(number, 0, 5)._replace(attributes={"relay-hops": came})])
    made = one.outputs()
    one.stored([each.id for each in made])
    if is_kept:
        keep = one.keep()
        assert keep is not None
        states = {key: KeptState(kept.at, fresh(kept.state)) for key, kept in keep.states.items()}
        one = Processing(RULE, 0, 1, keep.frontier, KIND, states)
    one.reach(T0 + 5 * MINUTE)
    (close,) = one.outputs()
    assert (close.output.kind, close.attributes["relay-hops"]) == ("close", "3")


def test_each_output_comes_once_unless_it_is_lost() -> None:
    one = of(KIND)
    one.take([alert(0, 0, 5), alert(1, 0, 5)])
    made = one.outputs()
    assert one.outputs() == []
    one.take([alert(2, 0, 5)])
    one.lost([made[1].id, b"of somebody else"])
    assert [found.cause for found in one.outputs()] == [position(1), position(2)]
    one.stored(ids(made))
    one.lost([made[0].id])
    assert one.outputs() == []


def test_a_timer_fires_before_the_first_input_at_its_time() -> None:
    one = of(KIND)
    one.take([alert(0, 0, 5), alert(5 * MINUTE, 5, 5, number=3)])
    assert [(found.output.kind, causes.is_timer(found.cause)) for found in one.outputs()] == [
        ("open", False),
        ("close", True),
        ("open", False),
    ]


def test_what_was_taken_is_not_taken_again_and_time_does_not_go_back() -> None:
    one = of(KIND)
    inputs = [alert(0, 0, 5), alert(1, 0, 5)]
    one.take(inputs)
    one.take(inputs)
    assert len(one.outputs()) == 2
    one.reach(T0 + MINUTE)
    one.reach(T0)
    assert one.position == before_millisecond(T0 + MINUTE)
    one.take([alert(30_000, 0, 5)])  # There was nothing below that time.
    assert one.outputs() == []


def test_other_shards_have_other_keys_and_together_they_say_all() -> None:
    inputs = [alert(number, 0, 5, location=f"place {number}") for number in range(40)]
    shards = [of(KIND, shard, 3) for shard in range(3)]
    for one in shards:
        one.take(inputs)
        one.reach(T0 + 5 * MINUTE)
    said = [one.outputs() for one in shards]
    assert all(said)
    for shard, made in enumerate(said):
        assert {shard_of(RULE, one.key, 3) for one in made} == {shard}
    assert len({one.id for made in said for one in made}) == 80


def test_states_of_keys_that_another_shard_has_are_left_alone() -> None:
    states = {f'["{name}"]': KeptState(position(0), {"key": {}, "windows": []}) for name in "abcdefgh"}
    kind = Absence({"key": ["host"], "seconds": 1})
    states = {key: KeptState(position(0), {"key": {}, "last": T0, "opened": ""}) for key in states}
    said = []
    for shard in range(2):
        one = Processing(RULE, shard, 2, Frontier(position(0), T0, 1), kind, states)
        one.reach(T0 + 1000)
        said.append({found.key for found in one.outputs()})
    assert said[0]
    assert said[1]
    assert said[0] | said[1] == states.keys()
    assert not said[0] & said[1]


def test_alerts_that_became_part_of_another_are_named_but_not_without_end(monkeypatch: Any) -> None:
    monkeypatch.setattr(making, "MOST_MERGED", 2)
    one = of(KIND)
    one.take([*(alert(at, 10 * at + 10, 1) for at in range(5)), alert(9, 0, 90)])
    bridge = one.outputs()[-1]
    assert len(bridge.output.merged) == 4
    assert bridge.attributes["merged-alerts"].count(",") == 1


# --- what cannot be used ------------------------------------------------------------------------


def test_what_cannot_be_used_is_counted_shown_and_passed() -> None:
    one = of(KIND)
    one.take([message(0, location="Berlin"), alert(1, 0, 5), message(2, 0), alert(3, 0, 5)])
    assert [found.cause for found in one.outputs()] == [position(1), position(3)]
    assert one.unusable == 2
    assert one.last_unusable == f"{position(2)}: location is missing."
    one.stored(ids(list(one._made.values())))
    keep = kept(one)
    assert (keep.frontier.unusable, keep.frontier.last_unusable) == (2, one.last_unusable)
    assert again(keep).unusable == 2


def test_it_is_counted_by_one_shard_of_several() -> None:
    counts = []
    for shard in range(3):
        one = of(KIND, shard, 3)
        one.take([message(0), message(1)])
        counts.append(one.unusable)
    assert counts == [2, 0, 0]


def test_what_a_kind_has_no_room_for_is_counted_by_the_shard_that_takes_it(monkeypatch: Any) -> None:
    monkeypatch.setattr(group, "MOST_BYTES", 700)
    inputs = [
        message(at, status="firing", labels={"alertname": str(at)}, startsAt=written(T0)) for at in range(3)
    ]
    counts = []
    for shard in range(3):
        one = of(group.Group({}), shard, 3)
        one.take(inputs)
        counts.append((one.unusable, one.last_unusable.partition(":")[0]))
    assert sorted(counts) == [(0, ""), (0, ""), (2, position(2))]


# --- how much waits ------------------------------------------------------------------------------


def test_at_the_bound_no_more_is_taken_until_something_is_stored(monkeypatch: Any) -> None:
    monkeypatch.setattr(processing, "MOST_UNSTORED", 3)
    one = of(KIND)
    assert one.room == 3
    one.take([alert(at, 0, 5) for at in range(3)])
    assert one.room == 0
    made = one.outputs()
    assert one.room == 0
    one.stored([made[0].id])
    assert one.room == 1


# --- what is kept --------------------------------------------------------------------------------


def test_nothing_is_kept_before_what_was_said_is_stored() -> None:
    one = of(KIND)
    one.take([alert(0, 0, 5)])
    assert one.keep() is None
    made = one.outputs()
    assert one.keep() is None
    one.stored(ids(made))
    keep = one.keep()
    assert keep is not None
    assert keep.frontier == Frontier(position(0), T0, 1)
    assert list(keep.states) == ['["Berlin"]']
    assert keep.states['["Berlin"]'].at == position(0)
    assert one.keep() is keep
    one.kept(keep)
    assert one.keep() is None


def test_what_goes_on_meanwhile_comes_in_the_next_one_however_busy_a_key_is() -> None:
    one = of(KIND)
    one.take([alert(0, 0, 5)])
    first = one.outputs()
    assert one.keep() is None  # It is sealed.
    one.take([alert(1, 0, 9)])
    second = one.outputs()
    one.stored(ids(first))
    keep = kept(one)
    assert keep.frontier.position == position(0)
    assert keep.states['["Berlin"]'].state["windows"][0]["alerts"] == 1  # type: ignore[index]
    assert one.keep() is None
    one.stored(ids(second))
    keep = kept(one)
    assert keep.frontier.position == position(1)
    assert keep.states['["Berlin"]'].state["windows"][0]["alerts"] == 2  # type: ignore[index]


def test_a_frontier_that_moves_is_kept_without_states() -> None:
    one = of(KIND)
    assert one.keep() is None
    one.reach(T0)
    assert kept(one) == Keep(Frontier(before_millisecond(T0), T0, 1), {}, {})


def test_what_has_ended_is_written_as_such_and_then_gone() -> None:
    one = of(KIND)
    one.take([alert(0, 0, 5)])
    one.reach(T0 + 5 * MINUTE)
    one.stored(ids(one.outputs()))
    keep = kept(one)
    ended = causes.of_timer(T0 + 5 * MINUTE)
    assert keep.states == {'["Berlin"]': KeptState(ended, None)}
    assert keep.gone == {'["Berlin"]': ended}
    assert one.states == {}
    one.take([alert(6 * MINUTE, 6, 5)])
    one.stored(ids(one.outputs()))
    assert kept(one).gone == {}


def test_only_what_was_sealed_is_taken_for_kept() -> None:
    one = of(KIND)
    one.reach(T0)
    keep = one.keep()
    assert keep is not None
    one.kept(replace(keep))
    assert one.keep() is keep


# --- the next term -------------------------------------------------------------------------------


def test_a_replay_says_the_same_under_the_same_ids() -> None:
    inputs = [alert(0, 0, 5), alert(1, 3, 5), alert(2, 20, 1)]
    one = of(KIND)
    one.take(inputs[:1])
    first = one.outputs()
    one.stored(ids(first))
    keep = kept(one)
    one.take(inputs[1:])
    one.reach(T0 + 60 * MINUTE)
    two = again(keep)
    two.take(inputs)
    two.reach(T0 + 60 * MINUTE)
    assert two.outputs() == one.outputs()


def test_a_state_that_is_ahead_of_the_frontier_does_nothing_twice() -> None:
    inputs = [alert(0, 0, 5), alert(1, 3, 5), alert(2, 3, 5)]
    one = of(KIND)
    one.take(inputs[:1])
    one.stored(ids(one.outputs()))
    before = kept(one)
    one.take(inputs[1:2])
    one.stored(ids(one.outputs()))
    ahead = kept(one)
    two = again(before, states=ahead.states)
    two.take(inputs)
    assert [found.cause for found in two.outputs()] == [position(2)]


def test_a_state_that_has_ended_ahead_of_the_frontier_is_not_begun_anew() -> None:
    inputs = [alert(0, 0, 5), alert(1, 0, 5)]
    one = of(KIND)
    one.take(inputs[:1])
    one.stored(ids(one.outputs()))
    before = kept(one)
    one.take(inputs[1:])
    one.reach(T0 + 5 * MINUTE)
    one.stored(ids(one.outputs()))
    ended = kept(one)
    two = again(before, states=ended.states)
    two.take(inputs)
    two.reach(T0 + 5 * MINUTE)
    assert two.outputs() == []
    assert kept(two).gone == ended.gone


def test_an_ended_state_of_an_earlier_term_that_is_begun_anew_is_not_gone() -> None:
    one = of(KIND)
    one.take([alert(0, 0, 5)])
    one.reach(T0 + 5 * MINUTE)
    one.stored(ids(one.outputs()))
    two = again(kept(one))
    two.take([alert(6 * MINUTE, 6, 5)])
    two.stored(ids(two.outputs()))
    keep = kept(two)
    assert keep.gone == {}
    assert keep.states['["Berlin"]'].state is not None
    two.reach(T0 + 20 * MINUTE)
    assert [found.output.kind for found in two.outputs()] == ["close"]


# --- other settings -------------------------------------------------------------------------------


def test_settings_change_when_all_is_stored_and_kept_and_not_before() -> None:
    one = of(KIND)
    one.take([alert(0, 0, 5)])
    made = one.outputs()
    assert not one.adopt(2, OTHER)
    assert one.room == 0
    one.reach(T0 + 10 * MINUTE)  # It drains: nothing more is said under the old ones.
    assert one.outputs() == []
    one.stored(ids(made))
    assert not one.adopt(2, OTHER)
    assert kept(one).frontier.revision == 1
    assert one.adopt(2, OTHER)
    assert one.room > 0


def test_what_is_said_under_new_settings_waits_until_these_are_kept() -> None:
    one = of(KIND)
    assert one.adopt(2, OTHER)
    one.take([alert(0, 0, 5)])
    assert one.outputs() == []
    keep = one.keep()
    assert keep is not None
    assert keep.frontier == Frontier(START, 0, 2)
    one.kept(keep)
    (made,) = one.outputs()
    assert made.attributes["revision"] == "2"
    assert made.id == output_id(RULE, 2, made.key, made.cause, "open", 0)


def test_settings_that_are_in_force_already_change_nothing() -> None:
    one = of(KIND)
    one.take([alert(0, 0, 5)])
    assert not one.adopt(2, OTHER)
    assert one.adopt(1, KIND)  # The edit was taken back.
    assert one.room > 0


def test_settings_change_only_above_what_an_earlier_term_may_have_said() -> None:
    one = Processing(RULE, 0, 1, Frontier(position(0), T0, 1, position(9)), KIND, {})
    assert not one.adopt(2, OTHER)
    assert one.room > 0  # It goes on under the old ones.
    assert one.waits_for == T0 + 10
    one.take([alert(8, 0, 5)])
    assert not one.adopt(2, OTHER)
    assert one.room > 0
    one.reach(T0 + 10)
    one.stored(ids(one.outputs()))
    assert not one.adopt(2, OTHER)
    assert one.room == 0
    kept(one)
    assert one.adopt(2, OTHER)
    assert one.waits_for == T0 + 5 * MINUTE


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_timer_that_an_edit_moves_to_before_now_fires_at_the_next_millisecond(is_restarted: bool) -> None:
    slow, quick = (Absence({"key": ["host"], "seconds": seconds}) for seconds in (10, 1))
    one = of(slow)
    one.take([message(0, host="a")])
    one.reach(T0 + 5000)
    states = kept(one).states
    assert one.adopt(2, quick)
    keep = kept(one)
    if is_restarted:
        one = again(keep, quick, states)
    assert one.next_due == T0 + 5001
    one.reach(T0 + 5001)
    (made,) = one.outputs()
    assert made.cause == causes.of_timer(T0 + 5001)


def test_whatever_is_stored_kept_lost_or_restarted_when_the_same_is_said() -> None:
    """All orders of a few steps, against one that goes straight on."""
    inputs = [alert(at, at % 3, 1, location="ab"[at % 2]) for at in range(6)]
    expected = of(KIND)
    expected.take(inputs)
    expected.reach(T0 + 10 * MINUTE)
    said = ids(expected.outputs())
    for steps in itertools.product(["store", "keep", "lose", "restart"], repeat=4):
        one, told = of(KIND), []
        frontier: Frontier = one._kept
        states: dict[str, KeptState] = {}
        for number, step in enumerate([*steps, "end"]):
            if one.position < inputs[number].position:
                one.take(inputs[: number + 1])
            made = one.outputs()
            if step == "store":
                told += made
                one.stored(ids(made))
            elif step == "keep":
                told += made
                one.stored(ids(made))
                if (keep := one.keep()) is not None:
                    states |= keep.states
                    frontier = keep.frontier
                    one.kept(keep)
            elif step == "lose":
                one.lost(ids(made))
            elif step == "restart":
                one = Processing(RULE, 0, 1, frontier, KIND, states)
        one.lost(ids(list(one._made.values())))
        one.take(inputs)
        one.reach(T0 + 10 * MINUTE)
        told += one.outputs()
        assert sorted(set(ids(told))) == sorted(said), steps
