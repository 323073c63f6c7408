"""How long to wait before trying again."""

from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """Doubling waits in seconds, spread over the upper half so that many do not retry at once."""

    first: float = 0.05
    longest: float = 2.0
    failures: int = 0

    def next(self, chance: float) -> float:
        """Count one more failure; the seconds to wait. `chance` is in [0, 1)."""
        wait = min(self.longest, self.first * 2.0 ** min(self.failures, 32))
        self.failures += 1
        return wait * (0.5 + chance / 2)

    def reset(self) -> None:
        """Something worked."""
        self.failures = 0
