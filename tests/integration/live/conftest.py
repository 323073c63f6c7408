"""A web process and a channel, as for those who pull, and those who watch it."""

from typing import Any

import pytest

from access_app import tokens
from relaycore.rights import parse
from tests.integration.pulling.conftest import channel, client, web

__all__ = ["channel", "client", "web"]


@pytest.fixture
def limited(operator: Any) -> str:
    """The key of a token that may read `allowed.*`."""
    return tokens.make("limited", operator, parse([{"scope": "read", "channels": ["allowed.*"]}]))[1]
