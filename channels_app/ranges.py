"""Whether a range of a channel's history has everything that was published: all was heard, and is stored.

What was not heard is asked here; up to where all is stored is said by whoever has read it.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from rest_framework import serializers

from channels_app import completeness
from channels_app.models import Gap
from relaycore.position import milliseconds_of
from relaycore.times import from_milliseconds


class GapSchema(serializers.Serializer):  # type: ignore[type-arg]
    """A window in which nobody heard a partition, or one channel of it."""

    id = serializers.IntegerField()
    partition = serializers.IntegerField()
    channel = serializers.CharField(allow_null=True, help_text="null: every channel of the partition.")
    cause = serializers.ChoiceField(Gap.Cause.choices)
    locals()["from"] = serializers.DateTimeField()  # A word of Python.
    to = serializers.DateTimeField(allow_null=True, help_text="null: it goes on.")
    missed_at_most = serializers.IntegerField(allow_null=True, help_text="null: not known.")
    covered = serializers.BooleanField(help_text="Another listener heard it: nothing is missing.")


SCHEMA: Final[dict[str, Any]] = {
    "complete": serializers.BooleanField(
        help_text="Everything that was published in the range of this page was heard, and is stored."
    ),
    "gaps": GapSchema(many=True, help_text="When something of it may have been missed."),
}
"""What `of_range` gives, for the description of the API."""

_STORING: Final = timedelta(seconds=2.5)
"""So far the writer may be behind for a range that ends now: as old as a proof that all is heard may be."""


def of_range(
    channel: str,
    *,
    since: str | None,
    until: str | None,
    oldest: str | None = None,
    watermark: str | None,
) -> dict[str, Any]:
    """What an answer with messages of this range says of its completeness.

    since, until: positions; None: from the beginning, until now
    oldest:       the position of the oldest message that is shown
    watermark:    everything below this position was stored when the messages were read; None: unknown
    """
    began, ended = _time(since), _time(until)
    # In this order: what is known now has its gaps on record.
    is_known = completeness.is_known(channel, began or _time(oldest), ended)
    gaps = completeness.missed(channel, began, ended)
    is_complete = is_known and not gaps and _is_stored(channel, since, until, watermark)
    return {"complete": is_complete, "gaps": list(map(row, gaps))}


def row(gap: Gap) -> dict[str, Any]:
    """A gap, as JSON has it."""
    return {
        "id": gap.pk,
        "partition": gap.partition,
        "channel": gap.channel or None,
        "cause": gap.cause,
        "from": gap.began_at,
        "to": gap.ended_at,
        "missed_at_most": gap.missed_at_most,
        "covered": gap.covered,
    }


def _is_stored(channel: str, since: str | None, until: str | None, watermark: str | None) -> bool:
    """Whether what was heard in the range is stored: the writer may be behind, or gone."""
    if watermark is None:
        return False
    if until is not None:
        return until <= watermark
    if since is not None and since > watermark:
        return False
    known_until, stored = completeness.known_until(channel), from_milliseconds(milliseconds_of(watermark))
    return known_until is None or known_until - stored <= _STORING


def _time(position: str | None) -> datetime | None:
    """When a message at this position was put on the stream, by Redis's clock."""
    return None if position is None else from_milliseconds(milliseconds_of(position))
