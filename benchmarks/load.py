"""What is published: distinct JSON messages of one size, whose ids tell afterwards what was lost."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

FIRST_ID = 1_000_000_000
"""All ids have ten digits, so that all messages have one size."""

_SMALLEST = 60
_ID = re.compile(rb'\{"id":(\d{10}),')


@dataclass(frozen=True, slots=True)
class Shape:
    """What the messages look like.

    prefix:   of the channels' names; a number follows
    channels: how many, used in turn
    size:     bytes of one message
    """

    prefix: str = "bench-"
    channels: int = 10
    size: int = 170

    def __post_init__(self) -> None:
        if self.size < _SMALLEST:
            raise ValueError(f"A message has at least {_SMALLEST} bytes, not {self.size}.")

    @property
    def names(self) -> list[str]:
        """The channels."""
        return [self.channel(number) for number in range(self.channels)]

    def channel(self, id: int) -> str:
        """The channel on which the message with this id is published."""
        return f"{self.prefix}{id % self.channels}"

    def text(self, id: int) -> bytes:
        """The message with this id."""
        head = b'{"id":%d,"sensor":"s%02d","v":%.2f,"pad":"' % (id, id % 100, id % 9973 * 0.37)
        return head.ljust(self.size - 2, b"x") + b'"}'

    def named(self, prefix: str) -> "Shape":
        """The same on other channels."""
        return replace(self, prefix=prefix)


@dataclass(frozen=True, slots=True)
class Load:
    """Messages with the ids from `first` on. `rate` in messages/s; None is as fast as Redis takes them."""

    shape: Shape
    first: int
    count: int
    rate: float | None = None

    @property
    def ids(self) -> range:
        """All of them."""
        return range(self.first, self.first + self.count)


_next_id = FIRST_ID


def make_load(shape: Shape, count: int, rate: float | None = None) -> Load:
    """A load whose ids no other load of this run has."""
    global _next_id  # noqa: PLW0603 -- one counter for the whole run is the point
    load = Load(shape, _next_id, count, rate)
    _next_id += count
    return load


def ids_in(bson: bytes) -> Iterator[int]:
    """The ids of the messages in a run of BSON documents."""
    return map(int, _ID.findall(bson))


def chunks(load: Load, most: int) -> Iterator[range]:
    """The ids of a load, at most so many at once."""
    for at in itertools.count(load.first, most):
        if at >= load.ids.stop:
            return
        yield range(at, min(at + most, load.ids.stop))
