"""What is said at the end of a run of where its time went."""

from types import SimpleNamespace
from typing import Any

from tests import timing
from tests.timing import Timing


def report(nodeid: str, worker: str, start: float, stop: float) -> Any:
    node = SimpleNamespace(gateway=SimpleNamespace(id=worker))
    return SimpleNamespace(nodeid=nodeid, node=node, start=start, stop=stop, duration=stop - start)


def told(*reports: Any) -> list[str]:
    found = Timing(lambda test: test.partition("::")[0])
    for one in reports:
        found.pytest_runtest_logreport(one)
    return [" ".join(line.split()) for line in found.lines()]


def test_phases_and_tests_of_a_unit_are_added_up_and_the_longest_comes_first() -> None:
    assert told(
        report("a.py::test_1", "gw0", 100.0, 101.0),
        report("b.py::test_1", "gw1", 100.5, 103.5),
        report("a.py::test_1", "gw0", 101.0, 101.5),
        report("a.py::test_2", "gw0", 101.5, 102.0),
    ) == [
        *("3.0 s b.py", "2.0 s a.py"),
        *("2.0 s until gw0 had nothing left", "3.5 s until gw1 had nothing left"),
    ]


def test_reports_that_come_late_change_no_beginning_and_no_end() -> None:
    late = told(report("b.py::test_1", "gw0", 105.0, 106.0), report("a.py::test_1", "gw0", 100.0, 101.0))
    assert late[-1] == "6.0 s until gw0 had nothing left"


def test_a_worker_that_died_makes_nothing_longer() -> None:
    """What is reported for it has no times."""
    lines = told(report("a.py::test_1", "gw0", 100.0, 101.0), report("b.py::test_1", "gw1", 0.0, 0.0))
    assert lines == ["1.0 s a.py", "1.0 s until gw0 had nothing left"]


def test_what_is_short_is_not_named() -> None:
    many = [report(f"{number}.py::test", "gw0", 100.0, 101.0 + number) for number in range(timing.SHOWN + 1)]
    lines = told(*many)
    assert len(lines) == timing.SHOWN + 1
    assert not any(line.endswith(" 0.py") for line in lines)
    assert told() == []
