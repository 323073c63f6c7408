"""The figures of one run: as a table, and as a dated JSON file with the facts of the machine."""

import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.acceptance.stack import ROOT

PACKAGES = ("celery", "Django", "hiredis", "pymongo", "redis")


@dataclass(slots=True)
class Figure:
    """One figure. `ratio` is `value` divided by that of the figure `to` of the same run."""

    section: str
    name: str
    value: float
    unit: str
    to: str = ""
    ratio: float | None = None
    detail: dict[str, Any] = field(default_factory=dict)


class Results:
    """All figures of a run, in the order in which they were measured."""

    def __init__(self) -> None:
        self.began = datetime.datetime.now(datetime.UTC)
        self.load_before = os.getloadavg()[0]
        self.figures: list[Figure] = []
        self.skipped: dict[str, str] = {}

    def add(self, section: str, name: str, value: float, unit: str, *, to: str = "", **detail: Any) -> None:
        """Take in a figure. `to` names one that was measured before, or is not measured in this run."""
        figure = Figure(section, name, value, unit, to, detail=detail)
        self.figures.append(figure)
        base = self.value(to)
        figure.ratio = value / base if base else None

    def skip(self, name: str, why: str) -> None:
        """Say why something was not measured."""
        self.skipped[name] = why

    def value(self, name: str) -> float | None:
        """A figure by its name."""
        return next((figure.value for figure in self.figures if figure.name == name), None)

    def table(self) -> str:
        """For people."""
        rows = [
            (
                f"({f.section}) {f.name}",
                number(f.value),
                f.unit,
                f"{f.ratio:.2f} × {f.to}" if f.ratio is not None else "",
            )
            for f in self.figures
        ]
        rows += [(name, "", "", f"skipped: {why}") for name, why in self.skipped.items()]
        widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
        return "\n".join(
            f"{name:<{widths[0]}}  {value:>{widths[1]}} {unit:<{widths[2]}}  {ratio}".rstrip()
            for name, value, unit, ratio in rows
        )

    def write(self, directory: Path, servers: dict[str, str]) -> Path:
        """Write the file, named after the time at which the run began; its path."""
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"{self.began:%Y-%m-%dT%H%MZ}.json"
        document = {
            "began_at": f"{self.began:%Y-%m-%dT%H:%M:%SZ}",
            "commit": _commit(),
            "machine": machine() | {"load_before": round(self.load_before, 2)},
            "servers": servers,
            "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
            "figures": [_rounded(asdict(figure)) for figure in self.figures],
            "skipped": self.skipped,
        }
        path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        return path


def number(value: float) -> str:
    """With as many digits as mean something."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def machine() -> dict[str, Any]:
    """What the figures depend on, and nothing that tells whose machine it is."""
    return {
        "cpu": _cpu_model(),
        "cores": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _commit() -> str:
    """What was measured. Empty where there is no git."""
    try:
        said = subprocess.run(
            ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return said.stdout.strip()


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value
