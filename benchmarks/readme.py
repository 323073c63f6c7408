"""The speed table of the project's README, made from committed results files.

python -m benchmarks.readme benchmarks/results/DATE.json ...

Several files are several runs: a figure comes from the first that has it, and its ratio is always to
another one of the same run.
"""

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.contenders import NODE
from benchmarks.footprint import IDLE, IDLE_ALONE, PYTHON
from benchmarks.rates import STEADY
from benchmarks.results import number
from benchmarks.variations import AGAIN, BASE
from tests.acceptance.stack import ROOT

README = ROOT / "README.md"
BLOCK = re.compile(r"<!-- speed: ([^>]+) -->\n.*?<!-- end of speed -->", re.DOTALL)

ROWS = (
    ("steady, nothing lost, none waits a second", STEADY),
    ("the same by a Node.js script without a stream", f"{NODE}, steady"),
    ("the same by one Celery task per message", "one Celery task per message, steady"),
    ("steady for 5 s only, 10 channels", BASE),
    ("steady for 5 s only, 10,000 channels", "10,000 channels"),
    ("steady for 5 s only, 10 channels, once more", AGAIN),
    ("steady for 5 s only, 10,000,000 messages stored before", "10,000,000 messages stored before"),
    ("steady for 5 s only, two listeners, each message kept", "two listeners, policy every"),
    ("lost of a burst of 200,000, worst of 10", "Relay, lost of a burst of 200,000"),
    ("PUBLISH to stored, half of the messages, at 1,000/s", "PUBLISH to stored at 1,000/s, p50"),
    ("PUBLISH to stored, 99 of 100, at 1,000/s", "PUBLISH to stored at 1,000/s, p99"),
    ("a single message on an idle system, half of them", "PUBLISH to stored, a single message, p50"),
    ("all Python processes, memory", PYTHON),
    ("idle without a standby, all processes with the servers", IDLE_ALONE),
    ("idle with a standby", IDLE),
)


def block(paths: Sequence[str]) -> str:
    """The part of the README, from the first comment to the last. `paths` are relative to the project."""
    runs = [json.loads((ROOT / path).read_text()) for path in paths]
    figures: dict[str, Any] = {}
    for run in runs:
        figures = {figure["name"]: figure for figure in run["figures"]} | figures
    lines = ["| | | ratio |", "|---|--:|---|"]
    for title, name in ROWS:
        figure = figures.get(name)
        if figure is not None:
            unit = figure["unit"].partition(",")[0]
            lines.append(f"| {title} | {number(figure['value'])} {unit} | {_ratio(figure)} |")
    machine = runs[0]["machine"]
    days = ", ".join(sorted({run["began_at"][:10] for run in runs}))
    facts = f"{machine['cores']} cores ({machine['cpu']}), {days}"
    links = ", ".join(f"[{Path(path).stem}]({path})" for path in paths)
    return "\n".join(
        [
            f"<!-- speed: {' '.join(paths)} -->",
            *lines,
            "",
            f"Everything on one machine, publisher and servers too: {facts}. All figures: {links};",
            "[what they mean, and `make bench`](benchmarks/README.md).",
            "<!-- end of speed -->",
        ]
    )


def _ratio(figure: dict[str, Any]) -> str:
    """Beside what it was measured; nothing where it was only compared with itself."""
    if figure["ratio"] is None or figure["to"] == figure["name"]:
        return ""
    return f"{figure['ratio']:.2f} × {figure['to']}"


def main(paths: Sequence[Path]) -> None:
    """Put the table into the README."""
    made = block([path.resolve().relative_to(ROOT).as_posix() for path in paths])
    text, found = BLOCK.subn(lambda _: made, README.read_text())
    if found != 1:
        sys.exit(f"{README.name} has no lines `<!-- speed: FILE -->` and `<!-- end of speed -->`.")
    README.write_text(text)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("Say which results: python -m benchmarks.readme benchmarks/results/DATE.json ...")
    main([Path(path) for path in sys.argv[1:]])
