"""Alerts that come in, what rules have said of them, and what they should have said."""

import itertools
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from alerts_app.models import Rule
from channels_app.models import Channel
from relaybase import keys
from relaycore import envelope
from relaycore.alerting.causes import is_timer
from relaycore.alerting.items import Input
from relaycore.alerting.rules import parse
from relaycore.identity import published_key
from tests.integration.processing import function
from tests.integration.processing.function import Name
from tests.integration.writing.world import fields_of

SETTINGS: Mapping[str, Any] = {
    "key": ["location"],
    "start": {"field": "timestamp"},
    "duration": {"field": "duration", "unit": "seconds"},
    "merge": {"type": "Mixed Threats"},
}

_names = itertools.count()


def now() -> int:
    """ms since 1970."""
    return time.time_ns() // 1_000_000


@dataclass
class Alerts:
    """A rule, and its two channels.

    redis, messages: as a test sees them
    """

    redis: Any
    messages: Any
    rule: Rule
    sent: "itertools.count[int]" = field(default_factory=itertools.count)

    @classmethod
    def make(cls, redis: Any, messages: Any, **fields: Any) -> "Alerts":
        """A rule of windows by location, between channels of its own."""
        number = next(_names)
        channels = [
            Channel.objects.create(channel=f"{name}-{number}", deduplicate="every", listen=False)
            for name in ("alerts", "events")
        ]
        made = {"kind": "window", "settings": dict(SETTINGS), **fields}
        rule = Rule.objects.create(name=f"rule-{number}", channel=channels[0], to=channels[1], **made)
        return cls(redis, messages, rule)

    @property
    def channel(self) -> str:
        return self.rule.channel.channel

    def send(self, *alerts: Mapping[str, Any], partition: int = 0) -> str:
        """These, in one entry; its id."""
        return self.send_raw(*(json.dumps(alert).encode() for alert in alerts), partition=partition)

    def send_raw(self, *payloads: bytes, partition: int = 0) -> str:
        """What is an alert, or none."""
        encoder = envelope.Encoder(self.channel.encode())
        documents = [
            encoder.encode(
                published_key(b"tests", self.channel.encode(), str(next(self.sent)).encode()),
                payload,
                envelope.timestamp(now()),
            )
            for payload in payloads
        ]
        entry: bytes = self.redis.xadd(keys.stream(partition), fields_of(documents))
        return entry.decode()

    def events(self) -> list[dict[str, Any]]:
        """What the rule has said, as it is stored, in order."""
        return list(self.messages.find({"channel": self.rule.to.channel}).sort("position"))

    def told(self, kind: str | None = None) -> list[dict[str, Any]]:
        """The same as objects, of one kind or of all."""
        found = [json.loads(one["message"]) for one in self.events()]
        return [one for one in found if kind in {None, one["eventType"]}]

    def inputs(self) -> list[Input]:
        """What has come in, as it is stored."""
        found = self.messages.find({"channel": self.channel}).sort("position")
        return list(map(Input.of, found))

    def wanted(self, until: int) -> dict[bytes, str]:
        """What the function says of the log, once time has come to this (ms), by id."""
        return said(self.rule, self.inputs(), until)

    def late(self) -> list[tuple[int, int]]:
        """Of each close that a timer has told: when it was due, and so much later it was appended, in ms."""
        causes = [(one["attributes"]["cause"], one["position"]) for one in self.events()]
        return [(int(at), int(position[:13]) - int(at)) for at, position in causes if is_timer(at)]

    def require_once(self, until: int) -> None:
        """The same, whichever revision of the settings said it: for edits that change nothing but texts."""
        self.rule.refresh_from_db()
        wanted = said(self.rule, self.inputs(), until, name=_cause)
        stored = [_stored_cause(one) for one in self.events()]
        assert not wanted.keys() - {*stored}, f"lost: {len(wanted.keys() - {*stored})}"
        assert not {*stored} - wanted.keys(), "said, and not of the log"
        assert len(stored) == len(wanted), f"said twice: {len(stored) - len(wanted)}"

    def require_said(self, until: int) -> None:
        """That is what is stored: nothing less, nothing twice, nothing else."""
        wanted = self.wanted(until)
        stored = {one["_id"].binary: one["message"] for one in self.events()}
        assert not wanted.keys() - stored.keys(), f"lost: {len(wanted.keys() - stored.keys())}"
        assert not stored.keys() - wanted.keys(), "said, and not of the log"
        assert stored == wanted


def alert(
    location: str, begins_in: float = 0.0, seconds: float = 1.0, type: str = "Rockets"
) -> dict[str, Any]:
    """As a generator posts it, with times from now on."""
    at = datetime.fromtimestamp(now() / 1000 + begins_in, UTC)
    return {"location": location, "type": type, "timestamp": at.isoformat(), "duration": seconds}


def _cause(key: str, cause: str, kind: str, place: int, message: str) -> tuple[str, str, str]:
    """What it is that was said, without the revision. A cause and a place say it only once."""
    return cause, kind, json.loads(message)["location"]


def _stored_cause(document: Mapping[str, Any]) -> tuple[str, str, str]:
    attributes = document["attributes"]
    return _cause("", attributes["cause"], attributes["event"], 0, document["message"])


def said(rule: Rule, inputs: Iterable[Input], until: int, name: Name | None = None) -> dict[Any, str]:
    """As `function.said`, under the settings of this row."""
    kind = parse(rule.kind, rule.settings)
    return function.said(kind, inputs, until, name or function.ids(rule.uuid.hex, rule.revision))
