"""Maintenance times of the kinds `window`, `threshold` and `absence`: what comes then is passed over.

They are intervals as those of `group` (`labelled.intervals`), each with its time zone. Whether one holds is
asked of the time of the cause, so it is the same however often it is asked, and in a back-test.

=========================  =============================================================================
`mute_time_intervals`      when nothing is taken. `[]`
`active_time_intervals`    the only times when something is. `null`
=========================  =============================================================================
"""

from typing import NamedTuple

from relaycore.alerting.kinds.settings import Reader
from relaycore.alerting.labelled import intervals
from relaycore.alerting.labelled.intervals import Interval
from relaycore.alerting.labelled.refused import BadMatcher


class Quiet(NamedTuple):
    """When it is quiet."""

    mute: tuple[Interval, ...]
    active: tuple[Interval, ...] | None

    def at(self, ms: int) -> bool:
        """Whether it is at this time, ms since 1970."""
        return intervals.is_quiet(self.mute, self.active, ms)


def read(reader: Reader) -> Quiet | None:
    """The two settings; None: it is never quiet.

    Raises:
        BadRule: one of them cannot be meant.
    """
    mute = _several(reader, "mute_time_intervals", []) or ()
    active = _several(reader, "active_time_intervals", None)
    return Quiet(mute, active) if mute or active is not None else None


def _several(reader: Reader, name: str, default: object) -> tuple[Interval, ...] | None:
    found = reader.take(name, default)
    if found is None and default is None:
        return None
    try:
        return intervals.several(found)
    except BadMatcher as exc:
        raise reader.bad(name, str(exc)) from exc
