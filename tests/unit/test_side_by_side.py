"""`make test`: several workers at once, and a few tests that fail once more alone."""

from pathlib import Path

import pytest

from tests import side_by_side

ONLY_ALONE = (
    "def test_it():\n    with open('tries', 'a+') as f: f.write('.'); f.seek(0); assert len(f.read()) > 1\n"
)
NEVER = "import pytest\n@pytest.mark.parametrize('n', range({}))\ndef test_it(n): assert False\n"
ALWAYS = "def test_it(): pass\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\ntestpaths = .\n")
    monkeypatch.setattr(side_by_side, "ROOT", tmp_path)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("first", "second", "result", "again"),
    [
        (ALWAYS, ALWAYS, 0, False),
        (ALWAYS, ONLY_ALONE, 0, True),
        (NEVER.format(1), ALWAYS, 1, True),
        (ONLY_ALONE, NEVER.format(1), 1, True),
        (ALWAYS, NEVER.format(side_by_side.MOST_TRIED_AGAIN + 1), 1, False),
        (ALWAYS, "import nothing_of_this_name\n" + ALWAYS, 1, False),
        ("", "", 5, False),
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


def test_workers_run_at_the_same_time(project: Path) -> None:
    """Each waits for the other."""
    meets = (
        "import pathlib, time\n"
        "def test_it():\n"
        "    pathlib.Path('here-{0}').touch(); began = time.monotonic()\n"
        "    while not pathlib.Path('here-{1}').exists(): assert time.monotonic() < began + 20\n"
    )
    (project / "test_first.py").write_text(meets.format("first", "second"))
    (project / "test_second.py").write_text(meets.format("second", "first"))
    assert side_by_side.main() == 0
