"""Every promise names a test, and the tests that the documents name are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guarantees.md").read_text()
ROWS = re.findall(r"^\| (?!what happens|---)(.+?) \| .+ \| (.+) \|$", PAGE, re.MULTILINE)
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("shown_by", [shown_by for _, shown_by in ROWS], ids=[what for what, _ in ROWS])
def test_a_promise_names_tests_that_are_there(shown_by: str) -> None:
    named = re.findall(r"`(.+?)`", shown_by)
    assert named
    for path in named:
        assert "def test_" in (ROOT / "tests" / path).read_text()


def test_there_are_promises() -> None:
    assert len(ROWS) >= 10


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_links_to_files_that_are_there(document: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
        assert (document.parent / link).exists(), link
