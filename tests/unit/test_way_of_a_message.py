"""docs/how-a-message-travels.md names the files in which each step happens, and the place in each."""

import ast
import re
from pathlib import Path

import pytest

from tests.floors.imports import ROOT

PAGE = (ROOT / "docs/how-a-message-travels.md").read_text()
STEPS = re.findall(r"^\| (\w+)[^|]* \| \[`(\S+)`\]\(\S+\) \| `([\w.]+)` \|$", PAGE, re.MULTILINE)


def places_in(path: Path) -> set[str]:
    """Functions of a module, and methods of its classes."""
    found = set()
    for each in ast.parse(path.read_text()).body:
        if isinstance(each, ast.FunctionDef):
            found.add(each.name)
        elif isinstance(each, ast.ClassDef):
            found |= {f"{each.name}.{one.name}" for one in each.body if isinstance(one, ast.FunctionDef)}
    return found


def test_there_are_eight_files_named_after_the_steps() -> None:
    assert len(STEPS) == 8
    assert [Path(file).stem for _, file, _ in STEPS] == [step.lower() for step, _, _ in STEPS]


@pytest.mark.parametrize(("step", "file", "place"), STEPS, ids=[step for step, _, _ in STEPS])
def test_the_place_of_a_step_is_there(step: str, file: str, place: str) -> None:
    assert place in places_in(ROOT / file)


def test_every_file_that_the_page_names_is_there() -> None:
    named = re.findall(r"\]\(\.\./([\w/.]+)\)", PAGE)
    assert len(named) > len(STEPS)
    assert [file for file in named if not (ROOT / file).exists()] == []


def test_a_place_that_is_not_there_would_be_noticed() -> None:
    assert "Writer.step" in places_in(ROOT / "messages_app/writing/writer.py")
    assert "Writer.leap" not in places_in(ROOT / "messages_app/writing/writer.py")
