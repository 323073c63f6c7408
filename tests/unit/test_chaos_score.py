"""What the faults came to, wherever they were tried."""

import execnet

from tests.chaos.checker import Verdict
from tests.chaos.score import Score, counts


def verdict(published: int, *lost: str, unrecorded: int = 0) -> Verdict:
    stored = published - len(lost)
    return Verdict(published, stored, [*lost], ["b", "c"], [], [("x", "y")], [*lost[:unrecorded]])


def test_what_workers_have_counted_is_added_up() -> None:
    score = Score(seed=1, load="none")
    for one in (verdict(10, "a", "d", unrecorded=1), verdict(7)):
        score.add(execnet.loads(execnet.dumps(counts(one))))
    assert (score.published, score.stored, score.lost, score.twice, score.unrecorded) == (17, 15, 2, 4, 1)
    assert "published 17, stored 15, lost 1 within recorded gaps, twice 4, unrecorded loss 1" in str(score)


def test_a_fault_is_survived_if_all_its_tests_have_passed() -> None:
    score = Score(seed=1, load="none")
    for fault, passed in ((1, True), (2, False), (1, True), (2, True)):
        score.judge(fault, passed=passed)
    assert score.faults == {1: True, 2: False}
    assert str(score).startswith("faults survived 1 of 32 (2 tried)")
