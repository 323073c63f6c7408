"""Pages that know nothing of Relay: they join nothing, show no token, and listen for one event."""

import json
from typing import Any

from websockets.sync.client import connect

from tests.integration.live.page import Page


def viewer(url: str, event: str = "alert", **wanted: Any) -> Page:
    """A page that knows nothing of Relay. It is connected."""
    return Page(url, None, script="viewer.mjs", event=event, **wanted)


def heard(page: Page) -> list[Any]:
    """The first argument of each event."""
    return [said[0] for said in page.all("heard")]


def connected(url: str, **auth: Any) -> Any:
    """What a client is answered that connects with this."""
    with connect(url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket", proxy=None) as raw:
        raw.recv(10)
        raw.send(f"40{json.dumps(auth)}")
        return json.loads(str(raw.recv(10)).removeprefix("40"))
