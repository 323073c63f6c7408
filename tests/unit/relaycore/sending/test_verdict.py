"""What an answer means."""

import pytest

from relaycore.sending.answers import Answer, Failure
from relaycore.sending.verdict import Verdict, judge


@pytest.mark.parametrize(
    ("statuses", "verdict"),
    [
        ((200, 201, 202, 204, 206, 299), Verdict.DONE),
        ((429, 502, 503, 504), Verdict.SLOW),
        ((410,), Verdict.GONE),
        ((101, 300, 301, 302, 304, 307, 308), Verdict.FAILED),
        ((400, 401, 403, 404, 408, 409, 411, 425, 428, 430, 499), Verdict.FAILED),
        ((500, 501, 505, 511, 599, 600, 999, 0), Verdict.FAILED),
    ],
)
def test_the_status_decides(statuses: tuple[int, ...], verdict: Verdict) -> None:
    assert {judge(Answer(status)) for status in statuses} == {verdict}
    assert verdict.is_done == (verdict is Verdict.DONE)


@pytest.mark.parametrize("failure", sorted(set(Failure) - {Failure.REQUEST, Failure.OURS}))
def test_without_one_it_has_failed(failure: Failure) -> None:
    assert judge(Answer(None, failure)) is Verdict.FAILED


def test_what_is_not_the_endpoints_is_not_held_against_it() -> None:
    assert judge(Answer(None, Failure.REQUEST)) is Verdict.UNFIT
    assert judge(Answer(None, Failure.OURS)) is Verdict.OURS
    assert {one for one in Verdict if not one.is_theirs} == {Verdict.UNFIT, Verdict.OURS}


def test_what_came_behind_the_status_changes_nothing() -> None:
    assert judge(Answer(200, Failure.RESET)) is Verdict.DONE
