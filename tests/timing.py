"""How long what goes to a worker as a whole has taken, and when each worker had nothing left.

Told at the end of a run with several workers, so that what makes it long is seen, and what should begin
earlier (`tests.spreading`).
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

SHOWN: Final = 25
"""Units that are named: what comes after them is no matter of minutes."""


class Timing:
    """Adds up the seconds of what is reported, set-up and tear-down included.

    unit: what goes to a worker as a whole, with the test of this id in it
    """

    def __init__(self, unit: Callable[[str], str]) -> None:
        self._unit = unit
        self._seconds = Counter[str]()
        self._began: float | None = None
        self._ended: dict[str, float] = {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Comes for each phase of each test, from any worker."""
        if not report.start:  # Of a worker that died: nobody knows when it began.
            return
        self._seconds[self._unit(report.nodeid)] += report.duration
        self._began = report.start if self._began is None else min(self._began, report.start)
        worker = report.node.gateway.id
        self._ended[worker] = max(self._ended.get(worker, 0.0), report.stop)

    def lines(self) -> Iterator[str]:
        """The longest units with their seconds; then the workers, with those from the first test on."""
        for unit, seconds in self._seconds.most_common(SHOWN):
            yield f"{seconds:7.1f} s  {unit}"
        for worker, ended in sorted(self._ended.items()):
            yield f"{ended - (self._began or 0.0):7.1f} s  until {worker} had nothing left"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Before what has failed is named once more."""
        terminalreporter.section("what took longest")
        for line in self.lines():
            terminalreporter.write_line(line)
