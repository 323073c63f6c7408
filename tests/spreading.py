"""A pytest plugin: which worker of pytest-xdist gets what next, where there are several.

A file stays together, since its tests share web processes; so do the files whose tests look at the same whole
Relay, which each worker would have to start. What shares nothing goes test by test. What takes longest comes
first, so that nobody begins with it when the others have nothing left.

Tests of real servers and processes wait for two thirds of their time, those of decisions never do. So the
latter are strewn among the former: workers that all wait leave cores idle, and workers none of which waits
are in each other's way. A share of them is left for the end, since what is small ends everywhere at once.
"""

from collections import Counter
from typing import Any, Final

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.timing import Timing

ACCEPTANCE: Final = "tests/acceptance/"
WITH_ITS_OWN: Final = frozenset(
    f"{ACCEPTANCE}test_{name}.py"
    for name in (
        *("documented_commands", "benchmarks", "whole_stack", "strange_environment"),
        *("pgbouncer", "rabbitmq", "what_leaves"),
    )
)
"""Files of acceptance tests that start what they look at themselves. All others share one Relay."""

ONE_BY_ONE: Final = ("tests/simulation/", "tests/chaos/")

LONGEST: Final = (
    "tests/acceptance/test_documented_commands.py",
    ACCEPTANCE,
    "tests/integration/working/test_broker_refuses.py",
    "tests/integration/live/test_broadcast_breaks.py",
    "tests/integration/test_made_unfit.py",
    "tests/integration/api/test_openapi.py",
    "tests/integration/test_repartition_gaps.py",
    "tests/integration/api/test_hot_side_by_side.py",
    "tests/integration/working/",
    "tests/integration/pulling/",
    "tests/integration/live/",
    "tests/chaos/test_workers.py",
    "tests/chaos/test_listeners.py",
)
"""What begins so is handed out in this order, then all else; of two that begin alike what has more tests."""

WAITING: Final = ("tests/integration/", ACCEPTANCE, "tests/chaos/")
"""What begins so waits for real servers and processes; all else only computes."""

_LEFT_FOR_THE_END: Final = 0.25
"""Of what only computes."""


def unit(test: str) -> str:
    """What goes to a worker as a whole, with this test in it: the beginning of its id, mostly a file."""
    if test.startswith(ONE_BY_ONE):
        return test
    file = test.partition("::")[0]
    return ACCEPTANCE if file.startswith(ACCEPTANCE) and file not in WITH_ITS_OWN else file


def in_order(tests: list[str]) -> list[str]:
    """These ids, each beside those of its unit, the longest units first."""
    units = {test: unit(test) for test in tests}
    place = {one: number for number, one in enumerate(_units_in_order(Counter(units.values())))}
    return sorted(tests, key=lambda test: place[units[test]])


def _units_in_order(sizes: Counter[str]) -> list[str]:
    """`sizes`: how many tests each has."""
    units = sorted(sizes, key=lambda one: (_rank(one), -sizes[one], one))
    longest = [one for one in units if one.startswith(LONGEST)]
    waiting = [one for one in units if not one.startswith(LONGEST) and one.startswith(WAITING)]
    computing = [one for one in units if not one.startswith((*LONGEST, *WAITING))]
    strewn = [*_places(waiting, 1.0), *_places(computing, 1.0 / (1.0 - _LEFT_FOR_THE_END))]
    return longest + [one for _, one in sorted(strewn, key=lambda placed: placed[0])]


def _places(units: list[str], length: float) -> list[tuple[float, str]]:
    """Each with its place on a way of this length, at equal distances."""
    return [(length * number / len(units), one) for number, one in enumerate(units)]


def _rank(unit: str) -> int:
    return next((rank for rank, begin in enumerate(LONGEST) if unit.startswith(begin)), len(LONGEST))


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out units in the order in which they were collected."""

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    """In place of each `--dist`."""
    config.option.loadscopereorder = False
    return Scheduling(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In each worker alike: they agree on what there is by its number."""
    if hasattr(config, "workerinput"):
        place = {test: number for number, test in enumerate(in_order([item.nodeid for item in items]))}
        items.sort(key=lambda item: place[item.nodeid])


class Naming:
    """Says at once which test has failed: of all of them it is known at the end, half an hour later."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """After the letter that pytest shows."""
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if report.failed and terminal is not None:
            terminal.write_line(f" {report.nodeid}, {report.when}")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """There are several workers."""
    manager = node.config.pluginmanager
    if not manager.has_plugin("relay-naming"):
        manager.register(Naming(node.config), "relay-naming")
        manager.register(Timing(unit), "relay-timing")
