"""What an endpoint is made of, and who may call it."""

import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from django.http import HttpRequest
from rest_framework.views import APIView

from relaybase.http.bodies import MAX_BODY_BYTES

Work = Callable[..., Awaitable[Any]]
"""An async function: takes a `Request`, and by name what the pattern has named; the answer, or its data."""

WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
"""The methods whose requests have a body. With another one a body is Django's affair."""


class Holder(Protocol):
    """Who has sent a valid key."""

    @property
    def who(self) -> str:
        """As the limit counts him: `token:NUMBER`."""

    def refusal(self, right: str, channel: str | None = None) -> str | None:
        """Why he may not do this with the channel, or with none at all; None if he may."""


class Authority(Protocol):
    """Who knows the keys."""

    def known(self, key: str) -> Holder | None:
        """Who has this key, from memory, without waiting; None: `find` knows.

        Raises:
            Disconnected: for too long nobody could say whether this still holds.
        """

    async def find(self, key: str) -> Holder | None:
        """Who has this key; None: nobody.

        Raises:
            Disconnected: nobody can say it now.
        """


Trace = Callable[[str, str, Mapping[bytes, bytes]], AbstractContextManager[Callable[[int], None]]]
"""Begins and ends a span: method, route and headers of a request; it is told the status of the answer."""


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Answer:
    """What a function answers if not with 200. `data` becomes JSON, bytes stay.

    headers: names and values
    over:    is called once, when all of it was sent, or cannot be: what was held for it is given back
    """

    data: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    over: Callable[[], object] = _nothing


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A hot endpoint.

    name:       that of the Django route for the same addresses; what it is counted under
    pattern:    a regular expression for the whole path below the root, without a slash at its end. What it
                names, the functions get. It may match less than the route, and nothing that another one does
    view:       the Django view of that route
    right:      what the holder of a token needs (`Holder.refusal`)
    functions:  by method; that of GET is asked for HEAD too
    channel:    which name in the pattern is that of the channel for which he needs it. Empty: that shows
                later, and the function asks `Request.holder` itself; here he needs it for any channel
    most_bytes: of a body
    """

    name: str
    pattern: str
    view: type[APIView]
    right: str
    functions: Mapping[str, Work]
    channel: str = ""
    most_bytes: int = MAX_BODY_BYTES

    def __post_init__(self) -> None:
        if self.channel and self.channel not in re.compile(self.pattern).groupindex:
            raise ValueError(f"{self.pattern} names no {self.channel}")

    def route(self) -> str:
        r"""As Django names its own; with and without a slash at the end, as `addresses.both` has it."""
        return rf"^{self.pattern}/?\Z"

    def matcher(self) -> re.Pattern[str]:
        """For a whole path."""
        return re.compile("/" + self.route().removeprefix("^"))

    def methods(self) -> dict[str, Work]:
        """What each method is answered by."""
        found = dict(self.functions)
        return found | ({"HEAD": found["GET"]} if "GET" in found else {})

    def headers(self) -> dict[str, str]:
        """What Django's view adds to each of its answers."""
        view = self.view()
        view.setup(HttpRequest())
        return {name: str(value) for name, value in view.default_response_headers.items()}
