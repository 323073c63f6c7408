"""The benchmark in its short form: all of it works, and what it stores is right. No speed is judged."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.stack import ROOT


@pytest.mark.timeout(900)  # Two minutes, on a machine that does nothing else.
def test_the_short_form_measures_every_section_and_loses_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--results", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=860,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    [file] = tmp_path.glob("*.json")
    results = json.loads(file.read_text())
    figures = {figure["name"]: figure for figure in results["figures"]}
    assert {figure["section"] for figure in figures.values()} == set("abcdefghijkl")
    assert figures["Relay, lost of a burst of 1,000"]["value"] == 0
    assert figures["Relay, steady"]["detail"]["lost"] == [0]
    assert figures["Python, batched, steady"]["ratio"] is not None
    for name in figures:
        assert name in done.stdout, f"{name} is not in the table"
    assert str(file) in done.stdout


def test_a_section_that_does_not_exist_is_refused_at_once(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--only", "b,x", "--results", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert "--only takes letters of abcdefghijkl, such as b,c; not 'b,x'" in done.stderr
