"""Groups: what is not told while something holds it back, and what is told later."""

from tests.unit.relaycore.alerting.labelled.telling import AS_THERE, INHIBIT, Driver, silence


def test_says_nothing_of_what_is_silenced_and_why_it_comes_later() -> None:
    rule = Driver(**AS_THERE, silences=[silence(0, 400, "alertname=a")])
    rule.fire(10, "a")
    rule.reach(639)
    assert rule.notices == []
    rule.reach(640)
    assert rule.notices == [(640, "some alerts unmuted", "a")]
    assert rule.attributes[0]["silence-ended"] == "one"


def test_tells_again_what_was_told_and_silenced_and_still_fires() -> None:
    rule = Driver(**AS_THERE, silences=[silence(100, 400, "alertname=a")])
    rule.fire(0, "a")
    rule.fire(0, "b")
    rule.reach(1_000)
    assert rule.notices == [(30, "first notification", "a b"), (630, "some alerts unmuted", "a b")]


def test_is_not_told_that_a_group_is_new_which_is_only_not_silenced_any_more() -> None:
    rule = Driver(**AS_THERE, silences=[silence(0, 400, "alertname=a")])
    rule.fire(0, "a")
    rule.fire(500, "b")
    rule.reach(1_000)
    # Something of it was not held back before.
    assert rule.notices == [(630, "first notification", "a b")]


def test_tells_the_end_to_who_has_heard_the_beginning() -> None:
    rule = Driver(**AS_THERE, silences=[silence(100, 10_000, "alertname=a")])
    rule.fire(0, "a")
    rule.resolve(200, "a")
    rule.reach(1_000)
    assert rule.notices == [(30, "first notification", "a"), (330, "all alerts resolved", "(a)")]


def test_tells_no_end_to_who_has_not() -> None:
    rule = Driver(**AS_THERE, silences=[silence(0, 10_000, "alertname=a")])
    rule.fire(0, "a")
    rule.fire(0, "b")
    rule.resolve(100, "a")
    rule.reach(1_000)
    assert rule.notices == [(30, "first notification", "b")]
    rule.resolve(1_100, "b")
    rule.reach(2_000)
    assert rule.notices[1:] == [(1_230, "all alerts resolved", "(b)")]


def test_follows_a_silence_that_begins_later() -> None:
    rule = Driver(**AS_THERE)
    rule.fire(0, "a")
    rule.reach(100)
    rule.fire(110, "b")
    rule.change(**AS_THERE, silences=[silence(0, 10_000, "alertname=b")])
    rule.reach(1_000)
    assert [one.alerts for one in rule.notices] == ["a"]
    rule.change(**AS_THERE)
    rule.reach(1_300)
    assert rule.notices[1:] == [(1_230, "some alerts unmuted", "a b")]


def test_says_nothing_of_what_something_else_holds_back() -> None:
    rule = Driver(group_by=["alertname"], inhibit=INHIBIT)
    rule.fire(0, "down", severity="critical", host="x")
    rule.fire(0, "slow", severity="warning", host="x")
    rule.fire(0, "late", severity="warning", host="y")
    rule.reach(100)
    assert sorted(one.alerts for one in rule.notices) == ["down", "late"]
    rule.resolve(150, "down", severity="critical", host="x")
    rule.reach(400)
    assert rule.notices[2:] == [
        (150.001, "all alerts resolved", "(down)"),
        (330, "some alerts unmuted", "slow"),
    ]
    assert "silence-ended" not in rule.attributes[-1]


def test_is_quiet_in_times_of_maintenance() -> None:
    # START is 2023-11-14 22:13:20 UTC.
    mute = [{"times": [{"start_time": "22:00", "end_time": "22:30"}]}]
    rule = Driver(**AS_THERE, mute_time_intervals=mute)
    rule.fire(0, "a")
    rule.reach(3_000)
    # The look at 22:28:50 is the last one in it.
    assert rule.notices == [(1_230, "some alerts unmuted", "a")]


def test_speaks_only_in_hours_of_duty() -> None:
    active = [{"times": [{"start_time": "22:30", "end_time": "23:00"}]}]
    rule = Driver(**AS_THERE, active_time_intervals=active)
    rule.fire(0, "a")
    rule.reach(3_000)
    assert rule.notices == [(1_230, "some alerts unmuted", "a")]
    never = Driver(**AS_THERE, active_time_intervals=[])
    never.fire(0, "a")
    never.reach(30_000)
    assert never.notices == []


# START is 2023-11-14 22:13:20 UTC: from 400 s on, until 2,200 s.
_MAINTENANCE = [{"times": [{"start_time": "22:20", "end_time": "22:50"}]}]


def test_tells_after_maintenance_what_has_ended_in_it_to_who_has_heard_the_beginning() -> None:
    rule = Driver(**AS_THERE, mute_time_intervals=_MAINTENANCE)
    rule.fire(0, "a")
    rule.fire(0, "b")
    rule.resolve(500, "a")
    # Of this nobody has heard.
    rule.fire(600, "c")
    rule.resolve(700, "c")
    rule.reach(4_000)
    assert rule.notices == [(30, "first notification", "a b"), (2_430, "some alerts unmuted", "(a) b")]


def test_tells_the_end_of_a_whole_group_after_maintenance_and_keeps_nothing_then() -> None:
    rule = Driver(group_by=["job"], mute_time_intervals=_MAINTENANCE)
    rule.fire(0, "a")
    rule.resolve(500, "a")
    rule.reach(4_000)
    assert rule.notices == [(30, "first notification", "a"), (2_430, "all alerts resolved", "(a)")]
    assert rule.state is None


def test_says_nothing_where_it_fires_again_after_maintenance_as_it_did_before() -> None:
    rule = Driver(**AS_THERE, mute_time_intervals=_MAINTENANCE)
    rule.fire(0, "a")
    rule.resolve(500, "a")
    rule.fire(2_300, "a")
    rule.reach(4_000)
    assert rule.notices == [(30, "first notification", "a")]


def test_keeps_no_end_that_nobody_wants_to_hear() -> None:
    rule = Driver(**AS_THERE, mute_time_intervals=_MAINTENANCE, send_resolved=False)
    rule.fire(0, "a")
    rule.resolve(500, "a")
    rule.reach(1_000)
    assert rule.state is None
