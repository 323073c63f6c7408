"""`manage.py status`: what is well, and what is not."""

import sys
from typing import Any, Final

from django.core.management.base import BaseCommand

from relayproject.observing.health import checks
from relayproject.observing.looking import look
from relayproject.observing.overview import Overview
from relayproject.observing.readers import LATE_SECONDS, Reader, Readers
from relayproject.proposals import Proposals

_SHOWN: Final = 8


class Command(BaseCommand):
    """The same look that /readyz takes."""

    requires_system_checks = ()
    help = "Say what is well and what is not: servers, loops, streams. Exit code 1 if anything is not."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run."""
        overview = look(at_readers=True)
        found = checks(overview)
        for check in found:
            self.stdout.write(
                f"{'ok  ' if check.detail is None else 'NOT '} {check.name}{_because(check.detail)}"
            )
            if check.warning:
                self.stdout.write(f"WARN {check.name}: {check.warning}")
        for line in _figures(overview):
            self.stdout.write(f"     {line}")
        if any(check.detail is not None for check in found):
            sys.exit(1)


def _because(detail: str | None) -> str:
    return "" if detail is None else f": {detail}"


def _of_proposals(proposals: Proposals) -> str:
    if proposals.fault is not None:
        return proposals.fault
    ago = proposals.seconds_ago
    return "proposals: none yet" if ago is None else f"proposals: {ago:.0f} s ago"


def _of_readers(readers: Readers) -> list[str]:
    """How many subscriptions there are, and those of which somebody should know, the worst first."""
    counts = ", ".join(f"{count} {state}" for state, count in readers.states.items())
    lines = [f"subscriptions: {counts}"]
    if unknown := sum(reader.lag is None for reader in readers.readers):
        lines.append(f"subscriptions of which nobody knows how far they are behind: {unknown}")
    worst = sorted(readers.readers, key=lambda reader: (-(reader.overdue_seconds or 0.0), -reader.dead))
    lines += [text for reader in worst if (text := _of_reader(reader))][:_SHOWN]
    return lines


def _of_reader(reader: Reader) -> str:
    said = []
    if reader.lag is not None and (reader.overdue_seconds or 0.0) > LATE_SECONDS:
        more = "" if reader.lag.is_exact else " or so"
        said.append(f"{reader.lag.messages}{more} not done, the oldest for {reader.overdue_seconds:.0f} s")
    if reader.dead:
        said.append(f"{reader.dead} dead")
    if said and not reader.is_active:
        said.append("paused")
    return f"subscription {reader.name or '(others)'}: {', '.join(said)}" if said else ""


def _figures(overview: Overview) -> list[str]:
    lines = []
    if overview.table is not None:
        counts = ", ".join(f"{count} {status}" for status, count in overview.table.channels.items())
        lines.append(f"channels: {counts}")
        alone = [loop for loop in overview.table.loops if loop.is_alone]
        for partition, listed in overview.table.listed.items():
            if listed.unheard:
                unheard = f"{listed.unheard} of {listed.channels} channels not heard"
                lines.append(f"partition {partition}: {unheard}")
        lines += [f"{loop}: nobody has proved that it would take over" for loop in alone]
        lines += [f"{loop}: {loop.waits} messages wait in its memory" for loop in overview.table.loops]
        for partition, count in overview.table.listeners.items():
            dropped = overview.table.dropped[partition]
            lines.append(f"partition {partition}: {count} listeners, {dropped} messages given up")
        lines.append(f"gaps that last: {overview.table.open_gaps}")
        lines.append(_of_proposals(overview.table.proposals))
    if overview.readers is not None:
        lines += _of_readers(overview.readers)
    elif overview.table is not None:
        lines.append("subscriptions: not known, looking at them has failed")
    if overview.streams is not None:
        for partition, backlog in overview.streams.backlogs.items():
            lag = f"{backlog.lag_seconds:.1f} s behind" if backlog.lag_seconds else "all stored"
            lines.append(f"stream of partition {partition}: {backlog.entries} entries not stored, {lag}")
    if overview.archive is not None:
        lines.append(f"messages stored: about {overview.archive.messages}")
        lines.append(f"in quarantine: about {overview.archive.quarantined}")
    return lines
