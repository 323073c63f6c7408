"""What is called once per message, without Django (`relaybase.http.hot`)."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from relaybase.http.hot import Answer, Endpoint, Request
from relaycore.rights import CONSUME
from subscribers_app.api import pulling
from subscribers_app.api.actions import ACTIONS
from subscribers_app.api.fetched import as_text
from subscribers_app.api.pulling import Call
from subscribers_app.pulling.room import Place


def _endpoint(verb: str, work: Callable[[Call, str], Awaitable[Any]]) -> Endpoint:
    async def answer(request: Request, name: str) -> Any:
        return await work(Call(request, request.holder.refusal, request.json, request.until_gone), name)

    return Endpoint(
        name=f"subscription-{verb}",
        pattern=f"api/v1/subscriptions/(?P<name>[^/]+)/{verb}",
        view=ACTIONS[verb],
        right=CONSUME,
        functions={"POST": answer},
    )


async def _fetch(call: Call, name: str) -> Answer:
    place = Place()
    try:
        text = as_text(await pulling.fetch(call, name, place))
    except BaseException:
        place.give_back()
        raise
    place.keep(text.size)
    return Answer(text, over=place.give_back)


ENDPOINTS: Final = tuple(
    _endpoint(verb, work)
    for verb, work in (
        ("fetch", _fetch),
        ("commit", pulling.commit),
        ("ack", pulling.ack),
        ("nack", pulling.nack),
        ("extend", pulling.extend),
    )
)
