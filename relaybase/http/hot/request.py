"""A request as an endpoint's function sees it."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

from django.http import QueryDict
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.renderers import JSONRenderer
from rest_framework.utils.mediatypes import media_type_matches

from relaybase.http import bodies
from relaybase.http.parsers import BodyTooLarge, GuardedJSONParser, decode


class Request:
    """What was asked.

    method:       in capital letters
    headers:      names in lower case and values, as they came
    holder:       who asks; known once the function runs
    query_params: what comes after the question mark, for `Parameters`
    """

    def __init__(
        self,
        method: str,
        headers: Mapping[bytes, bytes],
        query_params: QueryDict,
        receive: bodies.Receive,
        most_bytes: int,
        peer: str = "",
    ) -> None:
        self.method = method
        self.headers = headers
        self.query_params = query_params
        self.holder: Any = None
        # Where errors become answers, this is what they are written with.
        self.accepted_renderer: Any = JSONRenderer()
        self._receive = receive
        self._most_bytes = most_bytes
        self._peer = peer

    async def body(self, note: Callable[[int], object] | None = None) -> bytes:
        """All of the body. It can be asked for once. `note` is told of each piece, how many bytes it has.

        Raises:
            Refused: more than the endpoint takes, too slow, or too many at once; what is still on its way
                is not read.
            Gone: the client went away before the end of it.
        """
        crowd = bodies.OF_PUBLISHERS if self._most_bytes > bodies.MAX_BODY_BYTES else bodies.OF_THE_KNOWN
        return await bodies.whole(self._receive, self._most_bytes, self._peer, crowd, note)

    async def until_gone(self) -> None:
        """Returns once the client has gone away. After the body was read."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def json(self) -> Any:
        """The body as JSON: what REST framework's views find in `request.data`.

        Raises:
            UnsupportedMediaType: it is something else.
            ParseError: it is not JSON, nested too deeply, or has half a surrogate pair in it.
            Refused, Gone: as above.
        """
        body = await self.body()
        if not body:
            return {}
        sent = self.headers.get(b"content-type", b"").decode("latin-1")
        if not _is_json(sent):
            raise UnsupportedMediaType(sent)
        if len(body) > bodies.MAX_BODY_BYTES:
            raise BodyTooLarge
        return decode(body)


@functools.lru_cache(maxsize=64)
def _is_json(content_type: str) -> bool:
    return media_type_matches(GuardedJSONParser.media_type, content_type)
