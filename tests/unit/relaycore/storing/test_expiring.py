"""What retention puts on record, by every one who may be killed at it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.storing.expiring import NOTHING, Expired


def test_a_batch_is_on_record_before_it_is_deleted_and_ends() -> None:
    begun = NOTHING.begin("5", 3)
    assert begun == Expired("5", 3, 3)
    assert begun.end(3) == Expired("5", 3, 0)
    assert begun.end(1) == Expired("5", 3, 0), "somebody else has deleted the others"
    assert begun.end(4) == Expired("5", 4, 0), "one was stored meanwhile"


def test_one_batch_is_under_way_at_a_time() -> None:
    with pytest.raises(ValueError, match="under way"):
        Expired("5", 3, 3).begin("6", 1)


def test_what_is_stored_late_does_not_take_the_record_back() -> None:
    assert Expired("5", 3).begin("2", 1).upto == "5"


@pytest.mark.parametrize(
    ("since", "overlaps"), [(None, True), ("", True), ("4", True), ("5", True), ("50", False), ("6", False)]
)
def test_a_range_overlaps_what_may_be_deleted(since: str | None, overlaps: bool) -> None:
    assert Expired("5", 3).overlaps(since) is overlaps
    assert not NOTHING.overlaps(since)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 12), st.booleans())))
def test_the_number_grows_by_what_was_deleted_whoever_is_killed(batches: list[tuple[int, int, bool]]) -> None:
    record, deleted_in_all = NOTHING, 0
    for at, (counted, late, is_killed) in enumerate(batches):
        before, record = record, record.begin(f"{at:05d}", counted)
        assert record.messages >= before.messages
        # Who is killed has deleted them, and has not said so; who comes next finds nothing left.
        deleted = counted if is_killed else counted + late
        record = record.end(0 if is_killed else deleted)
        deleted_in_all += deleted
        assert record.messages == deleted_in_all
        assert not record.going
