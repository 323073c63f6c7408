"""The messages at `/api/v1/`."""

import re
from typing import IO, Any, Final

from bson import ObjectId
from rest_framework.exceptions import NotFound
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access_app.models import Token
from channels_app import presence, ranges
from messages_app.api import asked, schema
from messages_app.api.posting import Posted, publish
from messages_app.publishing import bridge
from messages_app.publishing.taking import Producer
from messages_app.searching import history
from messages_app.searching.rows import row
from relaybase.http import cursors
from relaybase.http.bodies import TooMuch
from relaybase.http.hot import Answer
from relaybase.http.parameters import Parameters
from relaybase.http.parsers import BodyTooLarge
from relaycore.publishing.parsing import FORMS, MOST_BYTES
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

    @schema.messages
    def get(self, request: Request) -> Response:
        """A page."""
        parameters = Parameters(request, *asked.PARAMETERS, "limit", cursors.PARAMETER)
        search = asked.search(parameters)
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

    @schema.message
    def get(self, request: Request, key: str) -> Response:
        """The message."""
        Parameters(request)
        is_id = re.fullmatch("[0-9a-fA-F]{24}", key)
        found = history.collection().find_one({"_id": ObjectId(key)}) if is_id else None
        if found is None:
            raise NotFound(NO_SUCH_MESSAGE)
        return Response(row(found))


class _AsItIs(BaseParser):
    """Whatever comes, byte for byte. Which types are taken is said by who takes it apart."""

    media_type = "*/*"

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> Any:
        """All of it."""
        return stream.read(MOST_BYTES + 1)


# By name as well: the page for browsers offers these to choose from.
_PARSERS: Final = [
    *(type("AsItIs", (_AsItIs,), {"media_type": form}) for form in FORMS),
    _AsItIs,
]


class PublishMessages(APIView):
    """Publish messages on a channel.

    One payload as it is (text/plain, application/octet-stream), one message or
    {"messages": [...]} as JSON, or a message a line (application/x-ndjson). All of them are
    taken, or none. Where 202 is answered they are on the stream, and will be stored once. With
    the header Idempotency-Key, or an `id` for each message, the request may be sent again.
    """

    name = "Publish"
    parser_classes = tuple(_PARSERS)

    @schema.publish
    def post(self, request: Request, name: str) -> Response:
        """Publish."""
        content: bytes = b"" if request.stream is None else request.data  # type: ignore[assignment]
        if len(content) > MOST_BYTES:
            raise BodyTooLarge(str(TooMuch(MOST_BYTES)))

        async def body() -> bytes:
            return content

        headers = request.headers
        posted = Posted(request, _producer(request), lambda name: headers.get(name, ""), len(content), body)
        answer = bridge.run(publish(posted, name))
        return Response(
            answer.data, answer.status, headers=dict(answer.headers), content_type=_other_than_json(answer)
        )


def _other_than_json(answer: Answer) -> str | None:
    return None if answer.content_type == "application/json" else answer.content_type


def _producer(request: Request) -> Producer:
    if isinstance(request.auth, Token):
        return Producer(f"token:{request.auth.pk}", request.auth.name)
    return Producer(f"user:{request.user.pk}", request.user.get_username())
