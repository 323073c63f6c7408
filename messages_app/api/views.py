"""The messages at `/api/v1/`."""

import base64
import re
from typing import Any, Final

from rest_framework.exceptions import NotFound, ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from messages_app.models import Message
from messages_app.searching import history
from relaycore.position import is_position
from relayproject import cursors
from relayproject.parameters import Parameters

PAGE: Final = 100


class MessageList(APIView):
    """What was published on a channel, newest first.

    ?channel=NAME, and ?limit= up to 1000; `next` is the page after this one. Below the
    position `watermark` nothing is missing, and nothing above it is shown.
    """

    name = "Messages"

    def get(self, request: Request) -> Response:
        """A page."""
        parameters = Parameters(request, "channel", "limit", cursors.PARAMETER)
        channel = parameters.text("channel")
        if not channel:
            raise ParseError("Say which channel: ?channel=NAME.")
        limit = parameters.whole("limit", PAGE, most=history.MOST_PER_PAGE)
        page = history.read(channel, limit=limit, below=_position(parameters.text(cursors.PARAMETER)))
        return Response(
            {
                "watermark": page.watermark,
                "next": cursors.next_link(request, page.last),
                "results": [_row(message) for message in page.messages],
            }
        )


class MessageDetail(APIView):
    """One message."""

    name = "Message"

    def get(self, request: Request, key: str) -> Response:
        """The message."""
        Parameters(request)
        found = Message.objects.filter(pk=key).first() if re.fullmatch("[0-9a-fA-F]{24}", key) else None
        if found is None:
            raise NotFound("There is no message with this id. An id has 24 hexadecimal digits.")
        return Response(_row(found))


def _position(cursor: str | None) -> str | None:
    if cursor is None:
        return None
    position = cursors.decode(cursor)
    if not is_position(position):
        raise cursors.bad_cursor()
    return position


def _row(message: Message) -> dict[str, Any]:
    # Written out: a serializer would take as long as MongoDB for a page of 1,000.
    payload = message.message
    is_text = isinstance(payload, str)
    return {
        "id": str(message.pk),
        "channel": message.channel,
        "message": payload if is_text else base64.b64encode(payload).decode(),
        "encoding": "utf-8" if is_text else "base64",
        "received_at": message.received_at,
        "position": message.position,
    }
