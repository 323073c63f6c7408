"""Processes of tests end, also those that do not want to, and those that come after them."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.ending import end, ended

OBEDIENT = "import time; print('on', flush=True); time.sleep(60)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {OBEDIENT}"


def start(code: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout as output:
        assert output.readline() == "on\n"
    return process


@pytest.fixture
def three() -> Iterator[list["subprocess.Popen[str]"]]:
    found = [start(code) for code in (OBEDIENT, STUBBORN, OBEDIENT)]
    yield found
    for process in found:
        process.kill()
        process.wait()


def test_all_are_collected_although_one_has_to_be_killed(three: list["subprocess.Popen[str]"]) -> None:
    with pytest.raises(AssertionError, match=r"did not end within 0\.5 s.*SIG_IGN"):
        end(*three, seconds=0.5)
    assert [process.returncode for process in three] == [-15, -9, -15]


def test_those_that_heed_it_are_no_failure(three: list["subprocess.Popen[str]"]) -> None:
    end(three[0], three[2])
    assert [process.returncode for process in three] == [-15, None, -15]


def test_one_ends_with_the_test_that_fails(three: list["subprocess.Popen[str]"]) -> None:
    with pytest.raises(ZeroDivisionError), ended(three[1]):
        raise ZeroDivisionError
    assert three[1].returncode == -9
