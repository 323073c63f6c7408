"""What is read ahead, of one subscription and of all that hang on one endpoint."""

from dataclasses import dataclass, field
from typing import Final

AHEAD: Final = 256
"""Messages that are read ahead of what is out."""

AHEAD_BYTES: Final = 4 << 20


@dataclass(slots=True)
class Share:
    """What each subscription of an endpoint may read ahead: so many messages, of so many bytes together.

    few: it is read on once there are so few: a page at a time, and not whatever has just gone out
    """

    most: int = AHEAD
    size: int = AHEAD_BYTES
    few: int = field(init=False)

    def __post_init__(self) -> None:
        self.set(self.most, self.size)

    def set(self, most: int, size: int) -> None:
        """It is this by now."""
        self.most, self.size, self.few = most, size, max(1, most // 4)

    @property
    def together(self) -> int:
        """Messages, where they go together: a large batch has to be here whole before it is full."""
        return 4 * self.most
