"""The README's speed table says what was measured, and nothing else."""

import json
from pathlib import Path

import pytest

from benchmarks import readme
from benchmarks.contenders import NODE
from benchmarks.rates import STEADY
from benchmarks.readme import BLOCK, README, block

RUN = {
    "began_at": "2026-11-21T15:00:00Z",
    "machine": {"cores": 2, "cpu": "a CPU"},
    "figures": [
        {"name": STEADY, "value": 90_000.0, "unit": "messages/s", "to": "bare", "ratio": 0.9},
        {"name": f"{NODE}, steady", "value": 80_000.0, "unit": "messages/s", "to": STEADY, "ratio": 0.8889},
        {
            "name": "Relay, lost of a burst of 200,000",
            "value": 0,
            "unit": "messages, worst",
            "to": "",
            "ratio": None,
        },
    ],
}
ANOTHER = {
    "began_at": "2026-11-22T15:00:00Z",
    "machine": {"cores": 2, "cpu": "a CPU"},
    "figures": [
        {"name": STEADY, "value": 70_000.0, "unit": "messages/s", "to": "bare", "ratio": 0.7},
        {"name": "10,000 channels", "value": 60_000.0, "unit": "messages/s", "to": "10", "ratio": 0.86},
    ],
}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs, as `x.json` and `y.json` of a project."""
    monkeypatch.setattr(readme, "ROOT", tmp_path)
    (tmp_path / "x.json").write_text(json.dumps(RUN))
    (tmp_path / "y.json").write_text(json.dumps(ANOTHER))


def test_a_row_has_the_figure_and_its_ratio_and_what_was_not_measured_has_no_row(files: None) -> None:
    made = block(["x.json"])
    assert "| 90,000 messages/s | 0.90 × bare |" in made
    assert f"| 80,000 messages/s | 0.89 × {STEADY} |" in made
    assert "| 0 messages |  |" in made
    assert made.count("\n| ") == 4
    assert "All figures: [x](x.json);" in made
    assert BLOCK.fullmatch(made)


def test_a_figure_is_that_of_the_first_run_that_has_it(files: None) -> None:
    made = block(["x.json", "y.json"])
    assert "| 90,000 messages/s | 0.90 × bare |" in made
    assert "70,000" not in made
    assert "| 60,000 messages/s | 0.86 × 10 |" in made
    assert "2026-11-21, 2026-11-22. All figures: [x](x.json), [y](y.json);" in made
    assert BLOCK.fullmatch(made)


def test_the_speed_table_is_the_one_that_its_results_make() -> None:
    found = BLOCK.search(README.read_text())
    assert found, "README.md has no speed table"
    assert found[0] == block(found[1].split())
