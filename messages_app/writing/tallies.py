"""What one entry has brought, left beside the stream by whoever acknowledges it, until many are added up."""

import json
from collections.abc import Mapping, Sequence

from relaycore.position import milliseconds_of

Counts = Mapping[bytes, int]
"""Messages by channel."""


def tally(id: str, counts: Counts) -> str:
    """What one entry has brought, in JSON. The id makes it unlike every other one."""
    if not counts:
        return ""
    return _json([id, {channel.decode(): count for channel, count in counts.items()}])


def sums(tallies: Sequence[bytes]) -> str:
    """What tallies come to, in JSON, by channel: messages, and when the newest one came (ms since 1970)."""
    messages: dict[str, int] = {}
    latest: dict[str, int] = {}
    for one in tallies:
        id, counts = json.loads(one)
        latest |= dict.fromkeys(counts, milliseconds_of(id))
        for channel, count in counts.items():
            messages[channel] = messages.get(channel, 0) + count
    return _json({channel: (count, latest[channel]) for channel, count in messages.items()})


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
