"""A web process, subscriptions, and what is published to them."""

import itertools
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from channels_app.models import Channel
from subscribers_app.models import Subscription
from tests.loops import Loop

_names = itertools.count()


@dataclass(frozen=True, slots=True)
class Client:
    """A program that publishes and consumes, with one token."""

    url: str
    key: str

    def post(self, path: str, data: Any = None, status: int = 200) -> Any:
        """As `ask`."""
        return self.ask("POST", path, data, status)

    def ask(self, method: str, path: str, data: Any = None, status: int = 200) -> Any:
        """The decoded answer to JSON, which is to have this status; None: there is no text."""
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        request = urllib.request.Request(
            f"{self.url}/api/v1/{path}", json.dumps(data or {}).encode(), headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=40) as answer:
                found, content = answer.status, answer.read()
        except urllib.error.HTTPError as exc:
            found, content = exc.code, exc.read()
        assert found == status, content
        return json.loads(content) if content else None

    def publish(self, channel: str, *texts: str) -> list[str]:
        """Until it is stored; the positions."""
        body = {"messages": [{"message": text} for text in texts]}
        positions: list[str] = self.post(f"channels/{channel}/messages?confirm=stored", body, 201)[
            "positions"
        ]
        return positions

    def fetch(self, subscription: str, **wanted: Any) -> Any:
        """What fetch answers."""
        return self.post(f"subscriptions/{subscription}/fetch", wanted)

    def texts(self, subscription: str, **wanted: Any) -> list[str]:
        """What is in the messages."""
        return [one["message"] for one in self.fetch(subscription, **wanted)["messages"]]

    def settle(self, verb: str, subscription: str, tokens: list[str], **more: Any) -> list[bool]:
        """Of each token, whether it was in time."""
        found = self.post(f"subscriptions/{subscription}/{verb}", {"tokens": tokens, **more})
        return [one["ok"] for one in found["results"]]


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
    name = f"topic-{next(_names)}"
    Channel(channel=name, deduplicate="every", listen=False).save()
    return name


@pytest.fixture
def subscribe(channel: str) -> Callable[..., str]:
    """Makes a subscription to it from the first message on."""

    def make(mode: str = "lease", **fields: Any) -> str:
        name = f"reader-{next(_names)}"
        Subscription.objects.create(
            name=name, channel=Channel.objects.get(channel=channel), mode=mode, **fields
        )
        return name

    return make
