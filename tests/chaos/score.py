"""What all faults together came to."""

import datetime
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .checker import Verdict

FAULTS = 32


def counts(verdict: Verdict) -> dict[str, int]:
    """What the score needs of it, in a form that goes from one process to another."""
    return {
        "published": verdict.published,
        "stored": verdict.stored,
        "lost": len(verdict.lost),
        "twice": len(verdict.twice),
        "unrecorded": len(verdict.unrecorded),
    }


@dataclass
class Score:
    """Adds up over one run of the tests; controls, which lose on purpose, are not counted.

    faults: number of the fault → whether every test of it has passed
    seed:   of what happens at random
    load:   what else the machine had to do meanwhile
    """

    seed: int
    load: str

    faults: dict[int, bool] = field(default_factory=dict)
    published: int = 0
    stored: int = 0
    lost: int = 0
    twice: int = 0
    unrecorded: int = 0
    longest_take_over: float | None = None

    def judge(self, fault: int, *, passed: bool) -> None:
        """A test of this fault has ended."""
        self.faults[fault] = self.faults.get(fault, True) and passed

    def add(self, counts: Mapping[str, int]) -> None:
        """What the checker has said (`counts`)."""
        self.published += counts["published"]
        self.stored += counts["stored"]
        self.lost += counts["lost"]
        self.twice += counts["twice"]
        self.unrecorded += counts["unrecorded"]

    def took_over(self, seconds: float) -> None:
        """A standby leads, so long after the leader was gone."""
        self.longest_take_over = max(self.longest_take_over or 0.0, seconds)

    def __str__(self) -> str:
        take_over = self.longest_take_over
        return (
            f"faults survived {sum(self.faults.values())} of {FAULTS} ({len(self.faults)} tried); "
            f"published {self.published}, stored {self.stored}, "
            f"lost {self.lost - self.unrecorded} within recorded gaps, twice {self.twice}, "
            f"unrecorded loss {self.unrecorded}; "
            f"longest take-over {'not measured' if take_over is None else f'{take_over:.2f} s'}; "
            f"seed {self.seed}, load: {self.load}"
        )


def keep(score: Score, seconds: float, directory: Path) -> Path:
    """Write what one run came to below what this day's runs before it came to; the file.

    `seconds`: how long it took.
    """
    directory.mkdir(parents=True, exist_ok=True)
    now = datetime.datetime.now(datetime.UTC)
    path = directory / f"{now:%Y-%m-%d}.txt"
    describe = ["git", "describe", "--always", "--dirty"]
    commit = subprocess.run(describe, check=False, cwd=directory, capture_output=True, text=True)
    facts = (
        f"{now:%H:%M} UTC, {seconds / 60:.1f} minutes, commit {commit.stdout.strip() or 'not known'}, "
        f"Python {platform.python_version()}, {os.cpu_count()} cores"
    )
    with path.open("a") as file:
        file.write(f"{facts}\n{score}\n\n")
    return path
