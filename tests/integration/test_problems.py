"""The table of errors and their HTTP answers."""

from collections.abc import Iterator

from relaycore.errors import RelayError
from relayproject.problems import STATUSES


def _all(kind: type[RelayError]) -> Iterator[type[RelayError]]:
    for below in kind.__subclasses__():
        yield below
        yield from _all(below)


def test_every_error_of_relay_has_an_answer() -> None:
    assert set(_all(RelayError)) == set(STATUSES)
