"""What becomes of a message in quarantine that is sent again, and what may be said of it meanwhile.

Its row stays until the message is stored. That it stands on the stream is not enough: a Redis that loses its
last second would lose the message for good. Who knows that it is stored is the writer, so the entry names
the row (`relaycore.envelope.F_RETRIES`), and before the entry is acknowledged

* the row goes, if the message is stored, by this entry or before it;
* the row is renewed, if it is refused again: the same row, with the new reason and the new position.

Whoever dies between two steps leaves an entry that is delivered again, and does the same once more. So a row
that is still there although the watermark has passed its entry was left by nobody: the entry is lost, and
the message may be sent again. (A writer that was frozen may bring back the row of what its successor has
stored. To send that again stores nothing, and the row goes.)

The row is marked with the position of its entry after that stands. Whoever dies between the two leaves a row
without a mark, which goes like any other. A mark counts only above the position at which the message was
refused last: the writer may be faster than whoever marks.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from enum import Enum

from relaycore.position import first_of


class Standing(Enum):
    """Where a message in quarantine is."""

    SET_ASIDE = "set aside"
    ON_ITS_WAY = "on its way"
    LOST = "lost"

    @property
    def may_be_sent(self) -> bool:
        """Whether to append it. A stream whose writer is away would fill with what is on its way."""
        return self is not Standing.ON_ITS_WAY


@dataclass(frozen=True, slots=True)
class Row:
    """What a row of the quarantine says.

    position: where the message stood when it was refused last
    sent:     where it stands since it was sent again; empty if it was not
    """

    position: str
    sent: str = ""

    @property
    def is_sent(self) -> bool:
        """Whether it was sent again, and not refused since."""
        return self.sent > self.position

    def is_renewed_by(self, position: str) -> bool:
        """Whether a refusal at this position is news. A writer that was frozen may bring an old one."""
        return self.position < position

    def standing(self, below: str | None) -> Standing:
        """Where the message is.

        below: the watermark, learnt before the row was read. None: nobody knows it, so nothing has passed
        """
        if not self.is_sent:
            return Standing.SET_ASIDE
        if below is None or below <= self.sent:
            return Standing.ON_ITS_WAY
        return Standing.LOST


def mark(entry: str) -> str:
    """What a row is marked with once the entry of this id stands."""
    return first_of(entry)


def stored(retried: Iterable[int], refused: Container[int]) -> list[int]:
    """Of which documents of a batch the rows go, before it is acknowledged. The rows of others are renewed.

    retried: the places of the documents that were in quarantine
    refused: the places of those that are not stored
    """
    return [index for index in retried if index not in refused]
