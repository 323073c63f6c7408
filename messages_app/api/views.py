"""The messages at `/api/v1/`."""

import re
from typing import Any, ClassVar, Final

from bson import ObjectId
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access_app.permissions import Needs, refusal, require
from channels_app import presence, ranges
from messages_app.api import asked, schema
from messages_app.searching import history
from messages_app.searching.rows import row
from relaybase.http import cursors
from relaybase.http.parameters import Parameters
from relaycore.storing.expiring import Expired

NO_SUCH_MESSAGE: Final = "There is no message with this id. An id has 24 hexadecimal digits."


class MessageList(APIView):
    """What was published on a channel, newest first, or with ?order=asc oldest first.

    ?channel=NAME, and ?limit= up to 1000. ?since=TIME and ?until=TIME: from the one, to before
    the other, by the clock of Redis when the message was put on the stream. ?contains=TEXT: as
    it is written; that reads through the messages, and is refused if it takes too long. `next`
    and `previous` are the pages beside this one. Below the position `watermark` nothing is
    missing, and nothing above it is shown. `complete`: everything that was published in the range
    of this page was heard, and is stored; `gaps` says when something was not heard. `expired`: up to
    this position of the range messages may have been deleted, since the channel keeps them no longer.
    """

    name = "Messages"
    needs: ClassVar[Needs] = {"GET": asked.SEE}

    @schema.messages
    def get(self, request: Request) -> Response:
        """A page."""
        parameters = Parameters(request, *asked.PARAMETERS, "limit", cursors.PARAMETER)
        search = asked.search(parameters)
        require(request, asked.SEE, search.channel)
        limit = parameters.limit()
        cursor = asked.cursor(parameters)
        page = history.read(search, limit=limit, cursor=cursor)
        if not page.messages and not history.has_any(search.channel):
            presence.require(search.channel)
        since, until = history.extent(search, cursor, page)
        oldest = min((message["position"] for message in page.messages), default=None)
        sure_below = page.watermark if page.is_sure else None
        said = ranges.of_range(search.channel, since=since, until=until, oldest=oldest, watermark=sure_below)
        return Response(
            {
                **said,
                "expired": _said_of(page.expired) if page.expired.overlaps(since) else None,
                "watermark": page.watermark,
                "next": cursors.link(request, asked.key(page.next)),
                "previous": cursors.link(request, asked.key(page.previous)),
                "results": list(map(row, page.messages)),
            }
        )


def _said_of(record: Expired) -> dict[str, Any]:
    return {"upto": record.upto, "messages": record.messages}


class MessageDetail(APIView):
    """One message."""

    name = "Message"
    needs: ClassVar[Needs] = {"GET": asked.SEE}

    @schema.message
    def get(self, request: Request, key: str) -> Response:
        """The message."""
        Parameters(request)
        is_id = re.fullmatch("[0-9a-fA-F]{24}", key)
        found = history.collection().find_one({"_id": ObjectId(key)}) if is_id else None
        # An id is the hash of what it stands for: whether there is one tells what somebody has published.
        if found is None or refusal(request, asked.SEE, found["channel"]) is not None:
            raise NotFound(NO_SUCH_MESSAGE)
        return Response(row(found))
