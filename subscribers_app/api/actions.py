"""The same as `hot`, for what is not answered before Django: people at the API's pages, sessions, HTML."""

import asyncio
import weakref
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Final

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access_app.permissions import Need, Needs, refusal
from relaybase.http.hot import bridge
from relaycore.rights import CONSUME
from subscribers_app.api import action_schema as schema
from subscribers_app.api import pulling
from subscribers_app.api.fetched import as_data
from subscribers_app.api.pulling import Call
from subscribers_app.pulling.room import Place

TAKE: Final = Need(CONSUME, "messages_app.view_message")


class _Action(APIView):
    needs: ClassVar[Needs] = {"POST": TAKE}

    def _answer(self, request: Request, name: str, work: Callable[[Call, str], Awaitable[Any]]) -> Response:
        return Response(self._done(request, name, work))

    def _done(self, request: Request, name: str, work: Callable[[Call, str], Awaitable[Any]]) -> Any:
        data = request.data

        def may(right: str, channel: str | None = None) -> str | None:
            return refusal(request, TAKE, channel)

        async def body() -> Any:
            return data

        async def run() -> Any:
            return await work(Call(request, may, body, _never), name)

        return bridge.run(run())


class _Fetched(Response):
    """Messages. What they take up is given back once they are sent, or nobody can send them any more."""

    def __init__(self, data: Any, place: Place) -> None:
        super().__init__(data)
        self._over = weakref.finalize(self, bridge.call, place.give_back)

    def close(self) -> None:
        """It is over, says Django."""
        super().close()
        self._over()


class Fetch(_Action):
    """Fetch messages from where the subscription stands.

    At most `max` messages and about `max_bytes` bytes; with `wait_seconds`, up to 20, the answer comes as
    soon as there are any. Mode "cursor": the same again until `commit` has moved the cursor. Mode "lease":
    each message is this worker's until the deadline, and comes with a token for `ack`, `nack` and `extend`.

    `commit` with `generation`, or in mode "lease" `ack` and `nack`, say what is done of what was fetched
    before. It is the same as if that was asked first: it holds, also if no messages come; if it is refused,
    none are fetched.
    """

    name = "Fetch"

    @schema.fetch
    def post(self, request: Request, name: str) -> Response:
        """Hand out what is above the cursor, or due again.

        The answer comes at once if there is something, else after `wait_seconds` at most. Mode "cursor": the
        same again until its `position` is committed; commit that of an empty page as well. Mode "lease":
        each message comes with a `delivery`, and again after its deadline unless it is settled.
        """
        return _Fetched(*self._done(request, name, _fetch))


class Commit(_Action):
    """Everything up to a position is done.

    `position` as `fetch` has answered it, or that of one of its messages. 409 says where the cursor stands,
    if it was moved meanwhile. With `generation`, as `fetch` has answered it, nothing from before a seek or
    another filter is taken for something later.
    """

    name = "Commit"

    @schema.commit
    def post(self, request: Request, name: str) -> Response:
        """Move the cursor of mode "cursor" forward: what is below it is done.

        The same position again is 200. Back, past what was fetched, or of another `generation` is 409,
        `cursor-moved`, which says where it stands. In mode "lease" it is 409, `wrong-mode`.
        """
        return self._answer(request, name, pulling.commit)


class Ack(_Action):
    """Messages are done. Of each token the answer says whether it was in time."""

    name = "Ack"

    @schema.ack
    def post(self, request: Request, name: str) -> Response:
        """Have these messages done: none of them is handed out again.

        After its deadline a token holds as long as nobody else was given the message. Too late is `ok: false`
        of that token, and no error of the request.
        """
        return self._answer(request, name, pulling.ack)


class Nack(_Action):
    """Messages are given back: for `delay_seconds`, or else for 1 s, doubling to 10 minutes."""

    name = "Nack"

    @schema.nack
    def post(self, request: Request, name: str) -> Response:
        """Give these messages back, to be handed out again later.

        After `delay_seconds`, or after 1 s, doubling with each attempt up to 10 minutes. One that was handed
        out `max_deliveries` times is a dead letter then. Too late is `ok: false` of that token.
        """
        return self._answer(request, name, pulling.nack)


class Extend(_Action):
    """Messages are needed for so many `seconds` from now on."""

    name = "Extend"

    @schema.extend
    def post(self, request: Request, name: str) -> Response:
        """Keep these messages for so many seconds, from now on.

        Nobody else is given them until then. Too late, since somebody else has it or it is done, is
        `ok: false` of that token.
        """
        return self._answer(request, name, pulling.extend)


async def _fetch(call: Call, name: str) -> tuple[Any, Place]:
    place = Place()
    try:
        return as_data(await pulling.fetch(call, name, place)), place
    except BaseException:
        place.give_back()
        raise


async def _never() -> None:
    """Django does not tell its views when a client goes away."""
    await asyncio.get_running_loop().create_future()


ACTIONS: Final[dict[str, type[APIView]]] = {
    "fetch": Fetch,
    "commit": Commit,
    "ack": Ack,
    "nack": Nack,
    "extend": Extend,
}
"""By the last part of the address."""
