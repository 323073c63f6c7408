"""What was published, what is stored, and what follows from the two.

Every published message carries a serial number, so sets can be compared: Jepsen's
set algebra. Whoever checks has not taken part: the publisher notes what Redis has
accepted, and the store is read with a client of its own.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Self


@dataclass(frozen=True, slots=True)
class Verdict:
    """lost: accepted and not stored; twice: stored more often than published;
    strange: stored and never attempted;
    disorder: stored after a later one of the same channel, and both in no gap that is on record;
    unrecorded: lost, and in no gap that is on record
    """

    published: int
    stored: int
    lost: list[str]
    twice: list[str]
    strange: list[str]
    disorder: list[tuple[str, str]]
    unrecorded: list[str]

    def __add__(self, other: Self) -> Self:
        """Of two channels together."""
        return type(self)(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))

    @property
    def is_clean(self) -> bool:
        """Nothing lost, nothing twice, nothing strange, and in order."""
        return self.is_clean_but_for_losses and not self.lost

    @property
    def is_clean_but_for_losses(self) -> bool:
        """Nothing twice, nothing strange, in order, and nothing lost outside the recorded gaps."""
        return not (self.twice or self.strange or self.disorder or self.unrecorded)

    def __str__(self) -> str:
        found = {
            name: getattr(self, name) for name in self.__slots__ if isinstance(getattr(self, name), list)
        }
        details = ", ".join(f"{name} {len(some)} {_short(some[:3])}" for name, some in found.items() if some)
        return f"published {self.published}, stored {self.stored}: {details or 'clean'}"


def _short(some: list[object]) -> str:
    return "; ".join(str(one)[:60] for one in some)


def judge(
    accepted: Iterable[str],
    attempted: Iterable[str],
    stored: Iterable[str],
    is_recorded: Callable[[str], bool],
) -> Verdict:
    """Compare, for one channel.

    `accepted` in the order of publishing, `stored` in the order of their positions;
    `is_recorded`: whether a text was published within a gap that is on record.
    """
    accepted, stored = list(accepted), list(stored)
    published, found = Counter(attempted), Counter(stored)
    order = {text: number for number, text in enumerate(accepted)}
    # What only a frozen listener has heard comes late, when it wakes: then it is late within a gap.
    firm = (text for text in stored if text in order and published[text] == 1)
    numbered = [text for text in firm if not is_recorded(text)]
    lost = [text for text in order if text not in found]
    return Verdict(
        published=len(accepted),
        stored=len(stored),
        lost=lost,
        twice=[text for text, count in found.items() if count > published[text] > 0],
        strange=sorted(found.keys() - published.keys()),
        disorder=[(a, b) for a, b in pairwise(numbered) if order[a] > order[b]],
        unrecorded=[text for text in lost if not is_recorded(text)],
    )
