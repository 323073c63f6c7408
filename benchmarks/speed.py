"""How fast a program has done so many things."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Speed:
    """Things for each second of its CPU, and for each second."""

    per_core: float
    per_second: float

    @classmethod
    def of(cls, count: int, cpu_seconds: float, seconds: float) -> "Speed":
        """So many, in this time. CPU is told in hundredths of a second."""
        return cls(count / max(0.01, cpu_seconds), count / max(0.001, seconds))
