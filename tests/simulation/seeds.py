"""Which schedules a control plays, and in which order."""

from collections.abc import Iterator
from itertools import chain


def seeds(most: int, first: int = 0) -> Iterator[int]:
    """Each seed below `most` once, from `first` on, which is the one that has shown it lately.

    What other rules find changes with the code: then all are played, and the control is as strong as before.
    """
    return chain(range(first, most), range(min(first, most)))
