"""The lease of the shard, in PostgreSQL: one row, and its time to live."""

from dataclasses import dataclass
from typing import Final

TTL_MS: Final = 4000


@dataclass
class Lease:
    """`holder`: the number of the sender that has it; 0: nobody. `beat_at`: when it was renewed last, ms."""

    epoch: int = 0
    holder: int = 0
    beat_at: int = 0

    def claim(self, sender: int, now: int) -> int | None:
        """The epoch of the term that begins; None: somebody has it."""
        if self.holder and now < self.beat_at + TTL_MS:
            return None
        self.epoch, self.holder, self.beat_at = self.epoch + 1, sender, now
        return self.epoch

    def renew(self, epoch: int, now: int) -> bool:
        """Whether it is still of this epoch."""
        if self.epoch != epoch or not self.holder:
            return False
        self.beat_at = now
        return True

    def release(self, epoch: int) -> None:
        """Whoever has it needs it no more."""
        if self.epoch == epoch:
            self.holder = 0
