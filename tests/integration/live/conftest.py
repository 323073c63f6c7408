"""A web process, a channel, and those who watch it."""

from collections.abc import Callable
from typing import Any

import pytest

from access_app import tokens
from channels_app.models import Channel
from relaycore.rights import parse
from tests.integration.pulling.conftest import Client, _names
from tests.loops import Loop


@pytest.fixture(scope="module")
def web(serve: Callable[..., str]) -> str:
    """A web process."""
    return serve(RELAY_WEB_REQUESTS_PER_MINUTE="0")


@pytest.fixture
def client(web: str, token: str) -> Client:
    """Who may do everything."""
    return Client(web, token)


@pytest.fixture
def channel(db: None, writer: Loop) -> str:
    """A channel that nobody listens to, of a name that no web process remembers."""
    name = f"watched-{next(_names)}"
    Channel(channel=name, deduplicate="every", listen=False).save()
    return name


@pytest.fixture
def limited(operator: Any) -> str:
    """The key of a token that may read `allowed.*`."""
    return tokens.make("limited", operator, parse([{"scope": "read", "channels": ["allowed.*"]}]))[1]
