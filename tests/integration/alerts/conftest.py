"""What processors leave behind, without any of them running."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest
from bson import ObjectId

from alerts_app import defaults, keeping, registration
from alerts_app.models import Rule
from channels_app import registration as channels
from relaybase.connections import mongo_collection
from relaycore.alerting import acknowledging, naming
from relaycore.alerting.items import Input, Step
from relaycore.alerting.rules import parse
from relaycore.delivering.beginning import Start
from relaycore.policy import EVERY
from relaycore.position import START
from relaycore.publishing import producers
from relaycore.times import from_milliseconds

STARTS_AT = 1_795_262_400_000
"""A time that lies behind, in ms since 1970: November 2026."""


class Told:
    """What rules have open and have told, as it is kept."""

    def __init__(self, messages: Any) -> None:
        self._messages = messages
        self._states = mongo_collection(keeping.STATES)
        self._number = 0

    def take(self, rule: Rule, at: str = "", **alert: Any) -> str:
        """An alert comes, at this position; the id under which it is open."""
        self._number += 1
        position = at or f"{STARTS_AT + self._number:013d}-0000000000-00000"
        starts = from_milliseconds(STARTS_AT).isoformat()
        body = {"location": "Harbour", "type": "Flood", "timestamp": starts, "duration": 15, **alert}
        kind = parse(rule.kind, rule.settings)
        (event,) = kind.read(Input(position, json.dumps(body)))
        kept = self._states.find_one({"_id": self._id(rule, event.key)})
        before = None if kept is None or kept["state"] is None else json.loads(kept["state"])
        step = kind.take(before, event, position)
        return self._keep(rule, event.key, step, position)[0]

    def end(self, rule: Rule, location: str = "Harbour") -> None:
        """The windows of a place end."""
        key = json.dumps([location])
        kept = self._states.find_one({"_id": self._id(rule, key)})
        assert kept is not None
        state, kind = json.loads(kept["state"]), parse(rule.kind, rule.settings)
        due = kind.due(state)
        assert due is not None
        self._keep(rule, key, kind.fire(state, due), f"{due:013d}")

    def events(self, rule: Rule) -> list[Any]:
        """What it has told, in order."""
        return list(self._messages.find({"channel": rule.to.channel}).sort("position"))

    def done(self, rule: Rule, alert: str, event: str) -> None:
        """Somebody has acknowledged an alert, and that is told."""
        self._insert(
            ObjectId(),
            rule,
            "{}",
            acknowledging.attributes(alert, event, rule.uuid.hex),
            producers.PEOPLE,
        )

    def publish(
        self, channel: str, by: str, message: Mapping[str, Any] = MappingProxyType({}), **attributes: str
    ) -> None:
        """Somebody publishes something with these attributes; `_` of a name is `-`."""
        named = {name.replace("_", "-"): text for name, text in attributes.items()}
        self._put(ObjectId(), channel, json.dumps(dict(message)), named, by)

    def stand(self, rule: Rule, unusable: int = 0, last_unusable: str = "", term: int = 1) -> None:
        """Its processor has kept where it stands, in this term; states are of the first."""
        position = f"{STARTS_AT + self._number:013d}-0000000000-00000"
        document = {
            "rule": rule.uuid.hex,
            "division": 1,
            "shard": 0,
            "of": 1,
            "begun": term,
            "position": position,
            "time": STARTS_AT,
            "revision": rule.revision,
            "unusable": unusable,
            "last_unusable": last_unusable,
            "outputs": self._number,
            "kept_at": datetime.now(UTC),
        }
        mongo_collection(keeping.FRONTIERS).replace_one({"_id": rule.uuid.hex}, document, upsert=True)

    def _keep(self, rule: Rule, key: str, step: Step, cause: str) -> list[str]:
        uuid = rule.uuid.hex
        shown = [] if step.state is None else parse(rule.kind, rule.settings).shown(step.state)
        alerts = [naming.alert_id(uuid, key, one["opened"]) for one in shown]
        document = {
            "rule": uuid,
            "key": key,
            "division": 1,
            "shard": 0,
            "by_key": True,
            "term": 1,
            "at": cause,
            "state": None if step.state is None else json.dumps(step.state),
            "due": None if step.state is None else parse(rule.kind, rule.settings).due(step.state),
            "alerts": alerts,
            "shown": json.dumps(shown) if shown else None,
        }
        self._states.replace_one({"_id": self._id(rule, key)}, document, upsert=True)
        told = [naming.alert_id(uuid, key, output.opened) for output in step.outputs]
        for index, output in enumerate(step.outputs):
            id = naming.output_id(uuid, rule.revision, key, cause, output.kind, index)
            attributes = {"rule": uuid, "event": output.kind, "cause": cause, "alert-id": told[index]}
            self._insert(ObjectId(id), rule, output.message, attributes, producers.rule(rule.name))
        return told

    def _insert(self, id: ObjectId, rule: Rule, message: str, attributes: dict[str, str], by: str) -> None:
        self._put(id, rule.to.channel, message, attributes, by)

    def _put(self, id: ObjectId, channel: str, message: str, attributes: dict[str, str], by: str) -> None:
        self._number += 1
        self._messages.insert_one(
            {
                "_id": id,
                "channel": channel,
                "message": message,
                "received_at": datetime.now(UTC),
                "position": f"{STARTS_AT + self._number:013d}-0000000000-00000",
                "attributes": attributes,
                "produced_by": by,
            }
        )

    @staticmethod
    def _id(rule: Rule, key: str) -> ObjectId:
        return ObjectId(naming.output_id(rule.uuid.hex, 0, key, "", "", 0))


@pytest.fixture
def told(archive: Any, relay_keys: Any) -> Iterator[Told]:
    for name in (keeping.STATES, keeping.FRONTIERS):
        mongo_collection(name).delete_many({})
    yield Told(archive)
    for name in (keeping.STATES, keeping.FRONTIERS):
        mongo_collection(name).delete_many({})


@pytest.fixture
def make_rule(db: None, relay_keys: Any) -> Callable[..., Rule]:
    """`make_rule(NAME, CHANNEL, TO)`: a rule of the kind that comes along."""

    def make(name: str = "by-location", channel: str = "in", to: str = "out", **settings: Any) -> Rule:
        channels.start(channel, EVERY, listen=False, republish=False)
        wanted = {**defaults.SETTINGS, **settings}
        return registration.create(name, channel, to, Rule.Kind.WINDOW, wanted, Start(START))

    return make
