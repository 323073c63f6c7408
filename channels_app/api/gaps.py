"""The gaps at `/api/v1/gaps`."""

import re
from typing import ClassVar, Final

from django.conf import settings
from django.db.models import Q
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access_app.permissions import Need, Needs, require, shown
from channels_app import presence
from channels_app.api import gaps_schema
from channels_app.completeness import concerning, overlapping
from channels_app.models import Channel, Gap
from channels_app.ranges import row
from relaybase.http import cursors
from relaybase.http.parameters import Parameters
from relaycore.rights import READ

SEE: Final = Need(READ, "channels_app.view_gap")


class GapList(APIView):
    """Windows in which nobody heard a partition, or one channel of it; the last recorded first.

    ?channel=NAME: what touched it, its own gaps and those of its partition. ?partition=NUMBER,
    ?since=TIME and ?until=TIME: what lies between, even if only a part of it does,
    ?open=true or false, ?limit= up to 1000. `channel` is null where the whole partition was
    not heard, `to` while it is still not heard, `missed_at_most` where Redis's counter could
    not be read. `covered`: another listener heard it, nothing is missing.
    """

    name = "Gaps"
    needs: ClassVar[Needs] = {"GET": SEE}

    @gaps_schema.gaps
    def get(self, request: Request) -> Response:
        """A page."""
        known = ("channel", "partition", "since", "until", "open", "limit", cursors.PARAMETER)
        parameters = Parameters(request, *known)
        found = Gap.objects.filter(overlapping(parameters.time("since"), parameters.time("until")))
        # What nobody heard of a whole partition is the affair of whoever reads a channel.
        found = found.filter(Q(channel="") | shown(request, READ))
        if (channel := parameters.text("channel")) is not None:
            require(request, SEE, channel)
            presence.require(channel)
            found = found.filter(concerning(channel, Channel.objects.filter(channel=channel).first()))
        partitions = [str(number) for number in range(settings.RELAY_PARTITIONS)]
        if (partition := parameters.one_of("partition", partitions)) is not None:
            found = found.filter(partition=int(partition))
        if (is_open := parameters.one_of("open", ["true", "false"])) is not None:
            found = found.filter(ended_at__isnull=is_open == "true")
        if (cursor := parameters.text(cursors.PARAMETER)) is not None:
            found = found.filter(id__lt=_id(cursor))
        limit = parameters.limit()
        # By the id, which never changes: when a gap closes its beginning may become more exact.
        page = list(found.order_by("-id")[: limit + 1])
        last = str(page[limit - 1].pk) if len(page) > limit else None
        return Response({"next": cursors.link(request, last), "results": list(map(row, page[:limit]))})


def _id(cursor: str) -> int:
    key = cursors.decode(cursor)
    if not re.fullmatch("[0-9]{1,18}", key):
        raise cursors.bad_cursor()
    return int(key)
