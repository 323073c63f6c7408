"""What all faults together came to."""

from dataclasses import dataclass, field

from .checker import Verdict

FAULTS = 16


@dataclass
class Score:
    """Adds up over one run of the tests; controls, which lose on purpose, are not counted.

    faults: number of the fault → whether every test of it has passed
    """

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

    def add(self, verdict: Verdict) -> None:
        """What the checker has said."""
        self.published += verdict.published
        self.stored += verdict.stored
        self.lost += len(verdict.lost)
        self.twice += len(verdict.twice)
        self.unrecorded += len(verdict.unrecorded)

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
            f"longest take-over {'not measured' if take_over is None else f'{take_over:.2f} s'}"
        )
