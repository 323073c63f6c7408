"""What all tests of the client share."""

import threading
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _its_threads_end_with_the_test() -> Iterator[None]:
    """A consumer that is closed does not wait for a fetch that Relay has not answered yet.

    Its thread would draw its chance in a later test, and Hypothesis takes that for a strategy's doing.
    """
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        if thread.name.startswith("relay-"):
            thread.join(10)
            assert not thread.is_alive(), f"{thread.name} is left"
