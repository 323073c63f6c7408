"""A web process, channels to publish on, and what stands on the stream."""

import http.client
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import bson
import pytest

from channels_app.models import Channel
from relaybase import keys
from relaycore import envelope

_names = itertools.count()


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers with names in lower case, and the decoded body."""

    status: int
    headers: dict[str, str]
    data: Any


@dataclass(frozen=True, slots=True)
class Publisher:
    """Publishes with one token."""

    url: str
    key: str

    def post(self, channel: str, body: bytes, query: str = "", **headers: str) -> Answer:
        """`headers`: with underscores; `content_type` is text/plain if it is not given."""
        sent = {"Authorization": f"Bearer {self.key}", "Content-Type": "text/plain"}
        sent |= {name.replace("_", "-").title(): value for name, value in headers.items()}
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        try:
            connection.request(
                "POST", f"/api/v1/channels/{quote(channel, safe='')}/messages{query}", body, sent
            )
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, found, json.loads(content) if content else None)

    def post_json(self, channel: str, data: Any, query: str = "", **headers: str) -> Answer:
        """One message, or several, as JSON."""
        headers = {"content_type": "application/json"} | headers
        return self.post(channel, json.dumps(data).encode(), query, **headers)


@pytest.fixture(scope="module")
def web(serve: Callable[..., str]) -> str:
    """A web process."""
    return serve(RELAY_WEB_REQUESTS_PER_MINUTE="0")


@pytest.fixture
def publisher(web: str, token: str) -> Publisher:
    """Who may publish."""
    return Publisher(web, token)


@pytest.fixture
def make_channel(db: None) -> Callable[..., str]:
    """Makes a channel that nobody listens to, of a name that no web process remembers."""

    def make(deduplicate: Any = "every", name: str = "topic", **fields: Any) -> str:
        channel = Channel(channel=f"{name}-{next(_names)}", deduplicate=deduplicate, listen=False, **fields)
        channel.save()
        return channel.channel

    return make


@pytest.fixture
def stream(relay_keys: Any) -> Callable[[], list[dict[str, Any]]]:
    """What stands on the stream, message by message."""

    def read() -> list[dict[str, Any]]:
        entries = relay_keys.xrange(keys.stream(0))
        return [bson.decode(document) for _, fields in entries for document in envelope.split(fields)]

    return read
