"""Web processes without what holds bad clients back, so that a test notices: else as `forked_web`.

prompt:   hashes a password where it is asked for, as many at once as are asked for
trustful: takes in all of a body before it looks who has sent it
"""

import sys
from collections.abc import Callable
from typing import Any

from access_app import hashing
from relayproject.asgi import application
from tests.integration.publishing import forked_web


def prompt() -> None:
    def at_once(work: Callable[[], str]) -> str:
        return work()

    hashing.aside = at_once


def trustful() -> None:
    async def reading(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            events = [await receive()]
            while events[-1].get("more_body"):
                events.append(await receive())

            async def hear() -> Any:
                return events.pop(0) if events else await receive()

            await application(scope, hear, send)
        else:
            await application(scope, receive, send)

    vars(forked_web)["application"] = reading


if __name__ == "__main__":
    {"prompt": prompt, "trustful": trustful}[sys.argv[1]]()
    forked_web.main()
