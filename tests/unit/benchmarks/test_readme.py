"""The README's speed table says what was measured, and nothing else."""

import json

from benchmarks.contenders import NODE
from benchmarks.rates import STEADY
from benchmarks.readme import BLOCK, README, block
from tests.acceptance.stack import ROOT

RESULTS = {
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


def test_a_row_has_the_figure_and_its_ratio_and_what_was_not_measured_has_no_row() -> None:
    made = block("benchmarks/results/x.json", RESULTS)
    assert "| 90,000 messages/s | 0.90 × bare |" in made
    assert f"| 80,000 messages/s | 0.89 × {STEADY} |" in made
    assert "| 0 messages |  |" in made
    assert made.count("\n| ") == 4
    assert "[All figures](benchmarks/results/x.json)" in made
    assert BLOCK.fullmatch(made)


def test_the_speed_table_is_the_one_that_its_results_make() -> None:
    found = BLOCK.search(README.read_text())
    assert found, "README.md has no speed table"
    path = found[1]
    assert found[0] == block(path, json.loads((ROOT / path).read_text()))
