"""`make test`: two halves at once, and a few that fail once more alone."""

import tomllib
from itertools import chain
from pathlib import Path

import pytest

from tests import side_by_side

ONLY_ALONE = (
    "def test_it():\n    with open('tries', 'a+') as f: f.write('.'); f.seek(0); assert len(f.read()) > 1\n"
)
NEVER = "import pytest\n@pytest.mark.parametrize('n', range({}))\ndef test_it(n): assert False\n"
ALWAYS = "def test_it(): pass\n"


def test_both_halves_together_are_what_pytest_runs_by_itself() -> None:
    options = tomllib.loads((side_by_side.ROOT / "pyproject.toml").read_text())["tool"]["pytest"]
    given = list(chain(*side_by_side.HALVES))
    left_out = [one.removeprefix("--ignore=") for one in given if one.startswith("--ignore=")]
    paths = [one for one in given if not one.startswith("--ignore=")]
    assert all((side_by_side.ROOT / folder).is_dir() for folder in left_out)
    # What the one leaves out is in the other, and everything else is there once.
    assert sorted(paths) == sorted([*options["ini_options"]["testpaths"], *left_out])


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.setattr(side_by_side, "ROOT", tmp_path)
    monkeypatch.setattr(side_by_side, "HALVES", (("test_first.py",), ("test_second.py",)))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("first", "second", "result", "again"),
    [
        (ALWAYS, ALWAYS, 0, False),
        (ALWAYS, ONLY_ALONE, 0, True),
        (NEVER.format(1), ALWAYS, 1, True),
        (ONLY_ALONE, NEVER.format(1), 1, True),
        (ALWAYS, NEVER.format(side_by_side.MOST_TRIED_AGAIN + 1), 1, False),
        (ALWAYS, "import nothing_of_this_name\n" + ALWAYS, 2, False),
        ("", ALWAYS, 5, False),
    ],
)
def test_a_few_that_fail_are_tried_once_more_alone(
    project: Path, capfd: pytest.CaptureFixture[str], first: str, second: str, result: int, again: bool
) -> None:
    (project / "test_first.py").write_text(first)
    (project / "test_second.py").write_text(second)

    assert side_by_side.main() == result

    out = capfd.readouterr().out
    assert ("Once more, with nothing beside: " in out) == again
    assert ("which is a fault to be found: test_second.py::test_it" in out) == (again and not result)
