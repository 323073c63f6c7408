"""Where messages are published, for what is not answered before Django (`messages_app.api.hot`)."""

from typing import IO, Any, ClassVar, Final

from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access_app.models import Token
from access_app.permissions import Need, Needs, require
from messages_app.api import schema
from messages_app.api.posting import Note, Posted, publish
from messages_app.publishing.taking import Producer
from relaybase.http.bodies import TooMuch
from relaybase.http.hot import Answer, bridge
from relaybase.http.parsers import BodyTooLarge
from relaycore.publishing.parsing import FORMS, MOST_BYTES
from relaycore.rights import PUBLISH


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


PUT: Final = Need(PUBLISH, "messages_app.add_message")


class PublishMessages(APIView):
    """Publish messages on a channel.

    One payload as it is (text/plain, application/octet-stream), one message or
    {"messages": [...]} as JSON, or a message a line (application/x-ndjson). All of them are
    taken, or none. Where 202 is answered they are on the stream, and will be stored once. With
    the header Idempotency-Key, or an `id` for each message, the request may be sent again.
    """

    name = "Publish"
    needs: ClassVar[Needs] = {"POST": PUT}
    parser_classes = tuple(_PARSERS)

    @schema.publish
    def post(self, request: Request, name: str) -> Response:
        """Publish."""
        require(request, PUT, name)
        content: bytes = b"" if request.stream is None else request.data  # type: ignore[assignment]
        if len(content) > MOST_BYTES:
            raise BodyTooLarge(str(TooMuch(MOST_BYTES)))

        async def body(note: Note | None) -> bytes:
            return content

        headers = request.headers
        posted = Posted(request, _producer(request), headers.get, len(content), body)
        answer = bridge.run(publish(posted, name))
        return Response(
            answer.data, answer.status, headers=dict(answer.headers), content_type=_other_than_json(answer)
        )


def _other_than_json(answer: Answer) -> str | None:
    return None if answer.content_type == "application/json" else answer.content_type


def _producer(request: Request) -> Producer:
    if isinstance(request.auth, Token):
        return Producer.client("token", request.auth.pk, request.auth.name)
    return Producer.client("user", request.user.pk, request.user.get_username())
