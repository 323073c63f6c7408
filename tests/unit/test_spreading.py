"""Several workers: what stays together, and what comes first."""

from itertools import pairwise

from tests import spreading
from tests.side_by_side import ROOT


def test_what_shares_servers_stays_together() -> None:
    assert spreading.unit("tests/integration/test_beat.py::test_it[x::y]") == "tests/integration/test_beat.py"
    assert spreading.unit("tests/acceptance/test_tail.py::test_it") == spreading.ACCEPTANCE
    assert spreading.unit("tests/acceptance/test_live_page.py::test_it") == spreading.ACCEPTANCE


def test_what_shares_nothing_does_not() -> None:
    for test in ("tests/simulation/test_echoes.py::test_it[every]", "tests/chaos/test_tls.py::test_it"):
        assert spreading.unit(test) == test
    own = "tests/acceptance/test_pgbouncer.py"
    assert spreading.unit(f"{own}::test_it") == own


def test_the_longest_come_first_each_beside_its_own() -> None:
    tests = [
        "tests/unit/test_a.py::test_1",
        "tests/integration/test_b.py::test_2",
        "tests/integration/test_a.py::test_1",
        "tests/acceptance/test_tail.py::test_1",
        "tests/integration/test_b.py::test_1",
        "tests/acceptance/test_documented_commands.py::test_1",
        "tests/acceptance/test_client.py::test_1",
    ]
    assert spreading.in_order(tests) == [tests[5], tests[3], tests[6], tests[1], tests[4], tests[0], tests[2]]


def test_what_computes_is_strewn_among_what_waits_and_is_left_for_the_end() -> None:
    tests = [f"tests/simulation/test_a.py::test_{number:02}" for number in range(40)]
    tests += [f"tests/integration/test_{number}.py::test_it" for number in range(10)]
    order = spreading.in_order(tests)
    assert sorted(order) == sorted(tests)
    waiting = [place for place, test in enumerate(order) if test.startswith("tests/integration/")]
    between = [after - before for before, after in pairwise(waiting)]
    assert set(between) == {4}
    assert waiting[0] == 0
    assert len(order) - 1 - waiting[-1] == 13


def test_what_is_named_is_there() -> None:
    for name in (*spreading.WITH_ITS_OWN, *spreading.ONE_BY_ONE, *spreading.LONGEST, *spreading.WAITING):
        assert (ROOT / name).exists(), name
