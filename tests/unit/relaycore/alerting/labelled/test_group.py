"""Groups: what is told when, by what Alertmanager's documentation says."""

from tests.unit.relaycore.alerting.labelled.telling import AS_THERE, Driver


def test_tells_of_a_new_group_after_its_wait() -> None:
    rule = Driver(**AS_THERE)
    rule.fire(0, "a")
    rule.reach(29.999)
    assert rule.notices == []
    rule.reach(30)
    assert rule.notices == [(30, "first notification", "a")]


def test_tells_together_what_came_in_the_wait() -> None:
    rule = Driver(**AS_THERE)
    rule.fire(0, "a")
    rule.fire(20, "b")
    rule.reach(100)
    assert rule.notices == [(30, "first notification", "a b")]


def test_tells_nothing_of_what_ended_in_the_wait() -> None:
    rule = Driver(**AS_THERE)
    rule.fire(0, "a")
    rule.resolve(10, "a")
    rule.reach(10_000)
    assert rule.notices == []
    assert rule.state is None


def test_does_not_keep_waiting_who_has_fired_for_long() -> None:
    rule = Driver(**AS_THERE)
    rule.fire(100, "a", since=10)
    rule.reach(100.001)
    assert rule.notices == [(100.001, "first notification", "a")]


def test_tells_what_comes_later_when_the_group_is_looked_at() -> None:
    rule = Driver(**AS_THERE)
    rule.fire(0, "a")
    rule.fire(31, "b")
    rule.fire(200, "c")
    rule.reach(1_000)
    assert rule.notices == [(30, "first notification", "a"), (330, "new alerts added", "a b c")]


def test_tells_the_end_at_the_next_look_if_it_is_to_wait_for_it() -> None:
    rule = Driver(**AS_THERE)
    rule.fire(0, "a")
    rule.fire(1, "b")
    rule.resolve(100, "a")
    rule.resolve(400, "b")
    rule.reach(10_000)
    assert rule.notices == [
        (30, "first notification", "a b"),
        (330, "some alerts resolved", "(a) b"),
        (630, "all alerts resolved", "(b)"),
    ]
    assert rule.state is None


def test_tells_the_end_at_once_by_default() -> None:
    rule = Driver(group_by=["job"])
    rule.fire(0, "a")
    rule.fire(1, "b")
    rule.resolve(100, "a")
    rule.reach(100.001)
    assert rule.notices[1:] == [(100.001, "some alerts resolved", "(a) b")]
    # Its clock goes on as it went.
    rule.fire(101, "c")
    rule.reach(330)
    assert rule.notices[2:] == [(330, "new alerts added", "b c")]


def test_tells_in_one_notice_what_ends_in_one_moment() -> None:
    rule = Driver(group_by=["job"])
    for name in "abcd":
        rule.fire(0, name)
    rule.reach(30)
    for name in "abcd":
        rule.resolve(50, name)
    rule.reach(60)
    assert rule.notices[1:] == [(50.001, "all alerts resolved", "(a) (b) (c) (d)")]


def test_waits_a_while_for_more_that_ends() -> None:
    rule = Driver(group_by=["job"], resolve_wait_seconds=10)
    rule.fire(0, "a")
    rule.fire(0, "b")
    rule.resolve(50, "a")
    rule.resolve(55, "b")
    rule.reach(100)
    assert rule.notices[1:] == [(60, "all alerts resolved", "(a) (b)")]


def test_repeats_itself_only_when_the_group_is_looked_at() -> None:
    rule = Driver(**AS_THERE, repeat_interval_seconds=700)
    rule.fire(0, "a")
    rule.reach(2_000)
    # 700 s are rounded up to three looks of 300 s.
    assert rule.notices == [
        (30, "first notification", "a"),
        (930, "repeat interval elapsed", "a"),
        (1_830, "repeat interval elapsed", "a"),
    ]


def test_begins_anew_once_everything_has_ended() -> None:
    rule = Driver(**AS_THERE)
    rule.fire(0, "a")
    rule.resolve(100, "a")
    rule.fire(400, "a")
    rule.reach(429)
    assert rule.notices[-1] == (330, "all alerts resolved", "(a)")
    rule.reach(430)
    assert rule.notices[-1] == (430, "first notification", "a")


def test_says_nothing_of_a_short_pause_between_two_looks() -> None:
    rule = Driver(**AS_THERE)
    rule.fire(0, "a")
    rule.resolve(100, "a")
    rule.fire(200, "a")
    rule.reach(10_000)
    assert rule.notices == [(30, "first notification", "a")]


def test_tells_apart_what_differs_in_the_labels_of_the_group() -> None:
    rule = Driver(**AS_THERE)
    rule.fire(0, "a", job="x")
    rule.fire(10, "b", job="y")
    rule.fire(20, "c")
    rule.reach(100)
    assert [(one.at, one.alerts) for one in rule.notices] == [(30, "a"), (40, "b"), (50, "c")]
    assert [one["groupLabels"] for one in rule.told] == [{"job": "x"}, {"job": "y"}, {}]
    assert [one["groupKey"] for one in rule.told] == ['{}:{job="x"}', '{}:{job="y"}', "{}:{}"]


def test_tells_each_by_itself_if_grouped_by_everything() -> None:
    rule = Driver(group_by=["..."])
    rule.fire(0, "a", job="x")
    rule.fire(0, "b", job="x")
    rule.reach(30)
    assert sorted(one.alerts for one in rule.notices) == ["a", "b"]


def test_puts_all_into_one_group_if_by_nothing() -> None:
    rule = Driver()
    rule.fire(0, "a", job="x")
    rule.fire(0, "b", job="y")
    rule.reach(30)
    assert [one.alerts for one in rule.notices] == ["a b"]


def test_has_only_the_alerts_that_are_its_own() -> None:
    rule = Driver(matchers=['job=~"x|y"'])
    rule.fire(0, "a", job="x")
    rule.fire(0, "b", job="z")
    rule.reach(30)
    assert [one.alerts for one in rule.notices] == ["a"]


def test_ends_what_was_its_own_under_other_matchers() -> None:
    rule = Driver(matchers=["job=x"])
    rule.fire(0, "a", job="x")
    rule.reach(30)
    rule.change(matchers=["job=y"])
    rule.fire(40, "b", job="x")
    rule.resolve(50, "a", job="x")
    rule.reach(1_000)
    assert rule.notices[1:] == [(50.001, "all alerts resolved", "(a)")]
    assert rule.state is None


def test_can_leave_out_what_has_ended() -> None:
    rule = Driver(group_by=["job"], send_resolved=False)
    rule.fire(0, "a")
    rule.fire(0, "b")
    rule.resolve(50, "a")
    rule.fire(60, "c")
    rule.resolve(400, "b")
    rule.resolve(400, "c")
    rule.reach(1_000)
    assert rule.notices == [(30, "first notification", "a b"), (330, "new alerts added", "b c")]
    assert rule.state is None


def test_can_tell_only_what_has_changed() -> None:
    rule = Driver(group_by=["job"], notify="changes", repeat_interval_seconds=600)
    rule.fire(0, "a")
    rule.fire(50, "b")
    rule.resolve(400, "a")
    rule.reach(1_000)
    assert (
        rule.notices
        == [
            (30, "first notification", "a"),
            (330, "new alerts added", "b"),
            (400.001, "some alerts resolved", "(a)"),
            (1_230, "repeat interval elapsed", "b"),
        ][:3]
    )
    rule.reach(1_300)
    assert rule.notices[3:] == [(1_230, "repeat interval elapsed", "b")]
