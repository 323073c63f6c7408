"""Whether a range of a channel's history has everything that was published: what hears, told to what keeps.

`messages_app` knows what is stored and `channels_app` what was not heard; here they meet.
"""

from datetime import datetime
from typing import Any, Final

from rest_framework import serializers

from channels_app import completeness
from channels_app.api.gaps import row
from channels_app.api.gaps_schema import GapSchema
from relaycore.position import milliseconds_of
from relaycore.times import from_milliseconds

SCHEMA: Final[dict[str, Any]] = {
    "complete": serializers.BooleanField(
        help_text="Everything that was published in the range of this page was heard."
    ),
    "gaps": GapSchema(many=True, help_text="When something of it may have been missed."),
}
"""What `of_range` gives, for the description of the API."""


def of_range(
    channel: str, *, since: str | None, until: str | None, oldest: str | None = None
) -> dict[str, Any]:
    """What an answer with messages of this range says of its completeness.

    since, until: positions; None: from the beginning, until now
    oldest:       the position of the oldest message that is shown
    """
    began, ended = _time(since), _time(until)
    # In this order: what is known now has its gaps on record.
    is_known = completeness.is_known(channel, began or _time(oldest), ended)
    gaps = completeness.missed(channel, began, ended)
    return {"complete": is_known and not gaps, "gaps": list(map(row, gaps))}


def _time(position: str | None) -> datetime | None:
    """When a message at this position was put on the stream, by Redis's clock."""
    return None if position is None else from_milliseconds(milliseconds_of(position))
