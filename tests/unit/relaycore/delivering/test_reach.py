"""What a seek passes over, case by case; and what is not come by again."""

import pytest

from relaycore.delivering.seeking import OnTheirWay, Passed, passed, reach
from relaycore.delivering.skipping import Noted
from relaycore.position import previous_position

from .places import at


@pytest.mark.parametrize(
    ("rows", "to", "between", "found"),
    [
        (OnTheirWay(), 8, 3, Passed(at(5), at(8), 3)),
        (OnTheirWay(), 8, None, Passed(at(5), at(8), None)),
        (OnTheirWay(), 8, 0, None),
        (OnTheirWay(), 5, None, None),
        (OnTheirWay(), 2, None, None),
        (OnTheirWay.of(2, at(1), at(2)), 8, 3, Passed(previous_position(at(1)), at(8), 5)),
        (OnTheirWay.of(2, at(1), at(2)), 8, 0, Passed(previous_position(at(1)), at(8), 2)),
        (OnTheirWay.of(2, at(1), at(2)), 8, None, Passed(previous_position(at(1)), at(8), None)),
        (OnTheirWay.of(2, at(1), at(2)), 3, None, Passed(previous_position(at(1)), at(2), 2)),
        (OnTheirWay.of(2, at(1), at(4)), 3, None, Passed(previous_position(at(1)), at(4), 2)),
    ],
    ids=[
        "forward",
        "forward, not counted",
        "forward, past nothing",
        "nowhere",
        "back",
        "forward, past rows too",
        "forward, past rows alone",
        "forward, past rows, not counted",
        "back, past rows",
        "back, and the message of a row is gone",
    ],
)
def test_what_goes_on_record(rows: OnTheirWay, to: int, between: int | None, found: Passed | None) -> None:
    assert passed(at(5), at(to), rows, between) == found


@pytest.mark.parametrize(("noted", "upto"), [("", 4), (at(2), 4), (at(7), 7)])
def test_rows_whose_message_retention_may_have_deleted_are_not_come_by_again(noted: str, upto: int) -> None:
    assert reach(at(4), Noted(noted)) == at(upto)
