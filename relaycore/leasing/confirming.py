"""Until when the holder of a lease may be sure that nobody else has it."""

from typing import Final

_SPARED: Final = 0.25
"""This part of the time to live is left: for an attempt that has begun, and for clocks that go unevenly."""


class Confirmed:
    """Of one lease, in one term.

    A renewal holds from when it was asked for: PostgreSQL may have written it at once, and have answered
    late. Until its time to live is over nobody else is given the lease.

    Times are seconds of a clock that only goes on, and goes on while the process is frozen.
    """

    def __init__(self, seconds_to_live: float) -> None:
        self._seconds_to_live = seconds_to_live
        self._seconds = seconds_to_live * (1 - _SPARED)
        self._from = float("-inf")
        self._until: float | None = None
        self._is_over = False

    def confirm(self, asked_at: float) -> None:
        """PostgreSQL has said that the lease is ours; it was asked at that time."""
        until = asked_at + self._seconds
        self._until = until if self._until is None else max(self._until, until)

    def withdraw(self, now: float) -> None:
        """The lease has gone back with its server: somebody else may have been given it since.

        He, too, is sure of it for a while, although it is ours again by now. So nothing that is confirmed
        holds before a whole time to live has passed.
        """
        self._from = now + self._seconds_to_live

    def holds(self, now: float) -> bool:
        """Whether an attempt may begin. To be asked right before each."""
        return not self._is_over and self._until is not None and self._from <= now < self._until

    def end(self) -> None:
        """It was lost, or given back: for good."""
        self._is_over = True
