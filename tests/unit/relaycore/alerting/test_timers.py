"""One timer for each key at most; the first one first."""

from hypothesis import given
from hypothesis import strategies as st

from relaycore.alerting import timers
from relaycore.alerting.timers import Timers

step = st.tuples(st.sampled_from("abcd"), st.none() | st.integers(0, 9)) | st.integers(0, 9)


@given(st.lists(step, max_size=40), st.sampled_from([0, 1000]))
def test_they_are_what_a_plain_dict_would_be(steps: list[object], spare: int) -> None:
    timers._SPARE, before = spare, timers._SPARE  # type: ignore[misc]
    try:
        some, plain = Timers(), {}
        for one in steps:
            if isinstance(one, tuple):
                key, due = one
                some.set(key, due)
                plain.pop(key, None)
                if due is not None:
                    plain[key] = due
            else:
                due = min(((at, key) for key, at in plain.items() if at <= one), default=None)
                assert some.pop(one) == due
                if due is not None:
                    del plain[due[1]]
            assert some.next == min(plain.values(), default=None)
    finally:
        timers._SPARE = before  # type: ignore[misc]


def test_timers_that_are_set_anew_over_and_over_take_no_more_room() -> None:
    some = Timers()
    for at in range(100_000):
        some.set("a", at)
    assert len(some._heap) < 2 * timers._SPARE
    assert some.next == 99_999
