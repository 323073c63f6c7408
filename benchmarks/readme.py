"""The speed table of the project's README, made from a committed results file.

python -m benchmarks.readme benchmarks/results/DATE.json
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from benchmarks.contenders import NODE
from benchmarks.footprint import IDLE, IDLE_ALONE, PYTHON
from benchmarks.rates import STEADY
from benchmarks.results import number
from tests.acceptance.stack import ROOT

README = ROOT / "README.md"
BLOCK = re.compile(r"<!-- speed: (\S+) -->\n.*?<!-- end of speed -->", re.DOTALL)

ROWS = (
    ("steady, nothing lost, none waits a second", STEADY),
    ("the same by a Node.js script without a stream", f"{NODE}, steady"),
    ("the same by one Celery task per message", "one Celery task per message, steady"),
    ("lost of a burst of 200,000, worst of 10", "Relay, lost of a burst of 200,000"),
    ("PUBLISH to stored, half of the messages, at 1,000/s", "PUBLISH to stored at 1,000/s, p50"),
    ("PUBLISH to stored, 99 of 100, at 1,000/s", "PUBLISH to stored at 1,000/s, p99"),
    ("a single message on an idle system, half of them", "PUBLISH to stored, a single message, p50"),
    ("all Python processes, memory", PYTHON),
    ("idle without a standby, all processes with the servers", IDLE_ALONE),
    ("idle with a standby", IDLE),
)


def block(path: str, results: dict[str, Any]) -> str:
    """The part of the README, from the first comment to the last. `path` is relative to the project."""
    figures = {figure["name"]: figure for figure in results["figures"]}
    machine = results["machine"]
    lines = ["| | | ratio |", "|---|--:|---|"]
    for title, name in ROWS:
        figure = figures.get(name)
        if figure is not None:
            unit = figure["unit"].partition(",")[0]
            lines.append(f"| {title} | {number(figure['value'])} {unit} | {_ratio(figure)} |")
    facts = f"{machine['cores']} cores ({machine['cpu']}), {results['began_at'][:10]}"
    return "\n".join(
        [
            f"<!-- speed: {path} -->",
            *lines,
            "",
            f"Everything on one machine, publisher and servers too: {facts}. [All figures]({path}),",
            "[what they mean, and `make bench`](benchmarks/README.md).",
            "<!-- end of speed -->",
        ]
    )


def _ratio(figure: dict[str, Any]) -> str:
    """Beside what it was measured; nothing where it was only compared with itself."""
    if figure["ratio"] is None or figure["to"] == figure["name"]:
        return ""
    return f"{figure['ratio']:.2f} × {figure['to']}"


def main(path: Path) -> None:
    """Put the table into the README."""
    relative = path.resolve().relative_to(ROOT).as_posix()
    made = block(relative, json.loads(path.read_text()))
    text, found = BLOCK.subn(lambda _: made, README.read_text())
    if found != 1:
        sys.exit(f"{README.name} has no lines `<!-- speed: FILE -->` and `<!-- end of speed -->`.")
    README.write_text(text)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Say which results: python -m benchmarks.readme benchmarks/results/DATE.json")
    main(Path(sys.argv[1]))
