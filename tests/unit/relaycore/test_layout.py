"""Whether all agree on how everything is divided."""

import pytest

from relaycore.layout import MOVING, Layout, greatest, misfit, newest

OWN = Layout(3, 2)


@pytest.mark.parametrize("text", ["", "moving", "3", "3 x", "x 2", "-1 2", "3 2 1", "3  2"])
def test_only_a_layout_is_read_as_one(text: str) -> None:
    assert Layout.parse(text) is None


def test_what_is_written_is_read_again() -> None:
    assert Layout.parse(str(OWN)) == OWN


@pytest.mark.parametrize("beside", [[], [None, None, None], ["3 2", None, "3 2"]])
def test_nothing_and_the_same_fit(beside: list[str | None]) -> None:
    assert misfit(OWN, beside) is None


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (MOVING, "are being moved"),
        ("1 1", r"divided into 1 (division 1), in PostgreSQL into 3 (division 2): Redis has gone back"),
        ("3 1", "Redis has gone back"),
        ("5 2", "PostgreSQL has gone back"),
        ("3 7", "PostgreSQL has gone back"),
        ("nonsense", "nobody has written"),
    ],
)
def test_anything_else_does_not_fit_and_it_is_said_what_to_run(other: str, said: str) -> None:
    why = misfit(OWN, ["3 2", other, None])

    assert why is not None
    assert said in why
    assert why.endswith("Stop everything and run `manage.py repartition`.")


def test_the_newest_is_beyond_whatever_stands_somewhere() -> None:
    assert newest(OWN, [None, MOVING, "5 1", "2 9"]) == Layout(5, 9)
    assert newest(OWN, []) == OWN


def test_ids_are_compared_as_numbers() -> None:
    assert greatest(["9-9", "10-0", "9-10"]) == "10-0"
    assert greatest([]) == "0-0"
