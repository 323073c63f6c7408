"""A web process and a channel, as for those who pull, and those who watch it."""

from collections.abc import Callable
from typing import Any

import pytest

from access_app import tokens
from channels_app import registration
from relaycore.rights import parse
from tests.integration.live.viewers import connected
from tests.integration.pulling.conftest import channel, client, web

__all__ = ["channel", "client", "web"]


@pytest.fixture
def limited(operator: Any) -> str:
    """The key of a token that may read `allowed.*`."""
    return tokens.make("limited", operator, parse([{"scope": "read", "channels": ["allowed.*"]}]))[1]


@pytest.fixture
def told(channel: str, web: str, wait_until: Callable[..., None]) -> str:
    """A channel that goes to every socket as `alert`, once the web process knows that."""
    registration.change(channel, public=True, broadcast="alert")
    wait_until(lambda: "pid" in connected(web), 1.5)
    return channel
