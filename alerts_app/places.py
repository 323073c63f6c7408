"""What the page of open alerts shows: to whom, what rules have open, and what was told of one place.

Whoever may see rules sees all of them. Whoever is nobody in particular sees those that tell on a public
channel: nothing more than he could watch there, so not who has said what of an alert.

A place is what an alert is about: the key of its rule, such as the location.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from alerts_app import alerts
from alerts_app.models import Rule
from messages_app.searching import history
from messages_app.searching.rows import timestamp
from relaycore.alerting import speaking
from relaycore.alerting.items import RULE
from relaycore.publishing import producers

SEE: Final = ("alerts_app.view_rule", "messages_app.view_message")
HANDLE: Final = "alerts_app.add_acknowledgement"

MOST_SHOWN: Final = 500
"""Open alerts on the page."""

MOST_TOLD: Final = 50
"""What was told of one place, the newest."""

MOST_LOOKED_AT: Final = 2000
"""So many of the newest messages of a channel are looked at for it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What somebody may see. is_public: he is nobody in particular; may_handle: he may acknowledge."""

    rules: Sequence[Rule]
    is_public: bool
    may_handle: bool


def seen_by(user: Any) -> Seen | None:
    """What this user may see; None: nothing, unless he logs in as somebody who may."""
    rules = list(Rule.objects.select_related("channel", "to").order_by("name"))
    if user.is_active and user.has_perms(SEE):
        return Seen(rules, is_public=False, may_handle=user.has_perm(HANDLE))
    shown = [rule for rule in rules if rule.to.public]
    return Seen(shown, is_public=True, may_handle=False) if shown else None


def state(seen: Seen) -> dict[str, Any]:
    """All that is open now, as JSON.

    Raises:
        PyMongoError: MongoDB does not answer.
    """
    now = datetime.now(UTC)
    page = alerts.page(seen.rules, limit=MOST_SHOWN)
    return {
        "at": timestamp(now),
        "may_handle": seen.may_handle,
        "is_whole": page.next is None,
        "rules": [_rule(rule) for rule in seen.rules],
        "speakers": {"rules": producers.RULES, "people": producers.PEOPLE},
        "alerts": [{**_shown(row, seen), "upto": page.upto[row["id"]]} for row in page.rows],
    }


def told(rule: Rule, key: Mapping[str, Any]) -> dict[str, Any]:
    """What was told lately of the place with this key, the newest first.

    Raises:
        PyMongoError: MongoDB does not answer.
    """
    found: list[dict[str, Any]] = []
    looked_at = 0
    documents = history.collection().find({"channel": rule.to.channel}).sort("position", -1)
    for document in documents.limit(MOST_LOOKED_AT):
        looked_at += 1
        attributes = document.get("attributes") or {}
        if not speaking.is_by_a_rule(document.get("produced_by"), attributes):
            continue
        said = _object(document["message"])
        if (
            attributes[RULE] == rule.uuid.hex
            and said is not None
            and all(said.get(name) == value for name, value in key.items())
        ):
            found.append({"at": timestamp(document["received_at"]), "said": said})
            if len(found) == MOST_TOLD:
                break
    return {"told": found, "is_all": looked_at < MOST_LOOKED_AT and len(found) < MOST_TOLD}


def _rule(rule: Rule) -> dict[str, Any]:
    names = rule.settings.get("key") if isinstance(rule.settings, dict) else None
    return {
        "name": rule.name,
        "uuid": rule.uuid.hex,
        "kind": rule.kind,
        "to": rule.to.channel,
        "key": names if isinstance(names, list) else [],
        "merge": rule.settings.get("merge", {}) if isinstance(rule.settings, dict) else {},
        "is_active": rule.state == Rule.State.ACTIVE,
    }


def _shown(row: Mapping[str, Any], seen: Seen) -> dict[str, Any]:
    shown = {name: row[name] for name in ("id", "rule", "key", "starts_at", "ends_at", "alerts")}
    more = row["more"] or {}
    shown["opened_at"] = timestamp(row["opened_at"]) if row["opened_at"] else None
    shown["said"] = more.get("said") or {}
    shown["acknowledged"] = row["acknowledged"] is not None
    shown["by"] = None
    if row["acknowledged"] is not None and not seen.is_public:
        shown["by"] = row["acknowledged"]["by"]
    return shown


def _object(message: str | bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(message)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
