"""What is called once per message, without Django (`relaybase.http.hot`)."""

from typing import Any, Final

from rest_framework.exceptions import NotFound

from messages_app.api import posting
from messages_app.api.posting import Posted
from messages_app.api.publishing import PublishMessages
from messages_app.api.views import NO_SUCH_MESSAGE, MessageDetail
from messages_app.publishing.taking import Producer
from messages_app.searching import single
from messages_app.searching.rows import row
from relaybase.http.hot import Answer, Endpoint, Request
from relaybase.http.parameters import Parameters
from relaycore import rights
from relaycore.publishing.parsing import MOST_BYTES


async def message(request: Request, key: str) -> dict[str, Any]:
    """The message with this id."""
    Parameters(request)
    found = await single.find(key)
    if found is None or request.holder.refusal(rights.READ, found["channel"]) is not None:
        raise NotFound(NO_SUCH_MESSAGE)
    return row(found)


MESSAGE: Final = Endpoint(
    name="message",
    # What is no id is an error or another address, `messages/export`: Django knows which.
    pattern="api/v1/messages/(?P<key>[0-9a-fA-F]{24})",
    view=MessageDetail,
    right=rights.READ,
    functions={"GET": message},
)


async def publish(request: Request, name: str) -> Answer:
    """Put messages on the stream."""

    def header(name: str) -> str | None:
        sent = request.headers.get(name.encode())
        return None if sent is None else sent.decode("latin-1")

    holder, announced = request.holder, header("content-length")
    length = int(announced) if announced else None
    posted = Posted(
        request, Producer.client(holder.kind, holder.id, holder.name), header, length, request.body
    )
    return await posting.publish(posted, name)


PUBLISH: Final = Endpoint(
    name="publish",
    pattern="api/v1/channels/(?P<name>[^/]+)/messages",
    view=PublishMessages,
    right=rights.PUBLISH,
    channel="name",
    functions={"POST": publish},
    most_bytes=MOST_BYTES,
)
