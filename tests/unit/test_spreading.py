"""Several workers: what stays together, and what comes first."""

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
    assert spreading.in_order(tests) == [tests[5], tests[3], tests[6], tests[1], tests[4], tests[2], tests[0]]


def test_what_is_named_is_there() -> None:
    for name in (*spreading.WITH_ITS_OWN, *spreading.ONE_BY_ONE, *spreading.LONGEST):
        assert (ROOT / name).exists(), name
