"""What was published, what is stored, and what follows from the two.

Every published message carries a serial number, so sets can be compared: Jepsen's
set algebra. Whoever checks has not taken part: the publisher notes what Redis has
accepted, and the store is read with a client of its own.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Verdict:
    """lost: accepted and not stored; twice: stored more often than published;
    strange: stored and never attempted; disorder: stored after a later one of the same channel
    """

    published: int
    stored: int
    lost: list[str]
    twice: list[str]
    strange: list[str]
    disorder: list[tuple[str, str]]

    @property
    def is_clean(self) -> bool:
        """Nothing lost, nothing twice, nothing strange, and in order."""
        return self.is_clean_but_for_losses and not self.lost

    @property
    def is_clean_but_for_losses(self) -> bool:
        """Nothing twice, nothing strange, and in order."""
        return not (self.twice or self.strange or self.disorder)

    def __str__(self) -> str:
        return (
            f"published {self.published}, stored {self.stored}: lost {len(self.lost)} {self.lost[:5]}, "
            f"twice {len(self.twice)} {self.twice[:5]}, strange {len(self.strange)} {self.strange[:5]}, "
            f"out of order {len(self.disorder)} {self.disorder[:3]}"
        )


def judge(accepted: Iterable[str], attempted: Iterable[str], stored: Iterable[str]) -> Verdict:
    """Compare. `accepted` in the order of publishing, `stored` in the order of their positions."""
    accepted, stored = list(accepted), list(stored)
    order = {text: number for number, text in enumerate(accepted)}
    found = Counter(stored)
    numbered = [text for text in stored if text in order]
    return Verdict(
        published=len(accepted),
        stored=len(stored),
        lost=[text for text in order if text not in found],
        twice=[text for text, count in found.items() if count > 1],
        strange=sorted(found.keys() - set(attempted)),
        disorder=[(a, b) for a, b in pairwise(numbered) if order[a] > order[b]],
    )
