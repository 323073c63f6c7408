"""Whether a client takes what it is sent, or has to go: it comes again and goes on from its last id.

Nothing is kept for a client but what one send has in it: what it has not taken yet stands in the rings, or in
the archive, for all. So a slow client costs no memory. One whose send does not end costs a connection and
what is in it. It is cut

* once that lasts `STUCK_SECONDS`, or
* once it lasts `PATIENCE_SECONDS` while more than the bound waits: it falls behind faster than it reads.
"""

from typing import Final

STUCK_SECONDS: Final = 30.0

PATIENCE_SECONDS: Final = 1.0
"""A client that reads takes what one send has in much less."""


def is_too_slow(sending_seconds: float, waiting_bytes: int, most_bytes: int) -> bool:
    """Whether a client is cut. `sending_seconds`: how long its send has lasted; 0: it has none."""
    if sending_seconds >= STUCK_SECONDS:
        return True
    return sending_seconds >= PATIENCE_SECONDS and waiting_bytes > most_bytes
