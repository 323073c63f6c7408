"""Making, changing, enabling and deleting rules: the one place for the API, the admin and commands.

The row is the truth. Processors look at the mark of all rules, and at the rows when it is another one.
Changed settings hold from where a processor has come to when it learns of them, which goes on record beside
its state.

Name, kind and channels never change: what a rule has open is about these. Rules form no circle: what one
makes may be read by another one, but no rule reads, by whatever detour, what it has written. Of two rules
that would close a circle together, the lock on their table lets one be made first, and the other one sees it.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from uuid import uuid4

from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet

from access_app import audit
from alerts_app.models import Rule
from alerts_app.silencing import forces
from channels_app import registration as channels
from channels_app.models import Channel
from channels_app.registration import unknown as unknown_channel
from events_app import channel as events
from relaybase.postgres.clock import ClockTimestamp
from relaycore.alerting import rules
from relaycore.alerting.errors import RuleChanged, RuleExists, RuleUnknown
from relaycore.delivering.beginning import Start
from relaycore.errors import BadRule, ChannelExists
from relaycore.policy import EVERY
from subscribers_app import starting

ADDRESSES: Final = frozenset({"back-test"})
"""What stands where names of rules do, and is none."""


def create(
    name: str, channel: str, to: str, kind: str, settings: Mapping[str, Any], start: Start, **more: Any
) -> Rule:
    """Make a rule; its row. The channel that it writes is made if there is none.

    Raises:
        BadRule: it cannot be meant.
        BadChannelName: there can be no channel of the name that it is to write.
        ChannelUnknown: there is no channel that it could read.
        RuleExists: there is one of this name.
        Disconnected, UnfitServer: where it is to begin cannot be learnt now.
        pymongo.errors.PyMongoError: MongoDB does not answer.
    """
    row = Rule(name=name, kind=kind, settings=dict(settings), **more)
    try:
        row.clean_fields(exclude=["channel", "to", "settings"])
    except ValidationError as exc:
        raise BadRule(_said(exc)) from exc
    if name in ADDRESSES:
        raise BadRule(f'name: "{name}" is the end of another address. Choose another name.')
    rules.parse(kind, row.settings)
    forces.require_own(kind, row.settings)
    if channel == to:
        raise BadRule("to: A rule cannot write the channel that it reads. Choose another name.")
    row.channel = read_channel(channel)
    if Rule.objects.filter(name=name).exists():  # Before anybody is asked where to begin.
        raise _exists(name)
    row.position = starting.resolve(channel, start)
    try:
        with transaction.atomic():
            _lock_all()
            row.to = _output(to)
            _require_no_circle(row.channel, row.to)
            row.save(force_insert=True)
            told = {"kind": kind, "to": to, "settings": row.settings, "position": row.position}
            audit.record("rule created", [name], channel=channel, **told)
            connection.check_constraints()
    except IntegrityError as exc:
        if not Channel.objects.filter(pk=row.channel_id).exists():
            raise unknown_channel(channel) from exc
        raise _exists(name) from exc
    row.refresh_from_db()
    return row


def change(name: str, settings: Mapping[str, Any], *, tags: Iterable[str] | None = None) -> Rule:
    """Replace its settings, from where it stands when its processor learns of it; the row.

    tags: one of them is that of the rule when this was decided

    Raises:
        RuleUnknown: there is no such rule.
        RuleChanged: it has none of these tags.
        BadRule: it cannot be meant.
    """
    with transaction.atomic():
        row = _locked(name)
        require_unchanged(row, tags)
        rules.parse(row.kind, settings)
        forces.require_own(row.kind, settings)
        row.settings = dict(settings)
        row.revision += 1
        _keep(row)
        audit.record("rule changed", [name], settings=row.settings, revision=row.revision)
    row.refresh_from_db()
    return row


def enable(name: str, start: Start | None = None) -> Rule:
    """Have it read on; the row. None: from where it stands, so what ended meanwhile is told late.

    With a start it begins anew: what it has open is forgotten, and never told as closed. That is so also for
    one that is active.

    Raises:
        RuleUnknown: there is no such rule.
        Disconnected, UnfitServer, pymongo.errors.PyMongoError: where that is cannot be learnt now.
    """
    position = None if start is None else starting.resolve(find(name).channel.channel, start)
    with transaction.atomic():
        row = _locked(name)
        if position is not None:
            row.uuid, row.position = uuid4(), position
        row.state, row.reason = Rule.State.ACTIVE, ""
        _keep(row)
        audit.record("rule enabled", [name], **({} if position is None else {"position": position}))
    row.refresh_from_db()
    return row


def disable(name: str, reason: str = "") -> Rule:
    """Have it stand still; the row. What it has open stays open, and is told nothing of.

    Raises:
        RuleUnknown: there is no such rule.
    """
    with transaction.atomic():
        row = _locked(name)
        row.state, row.reason = Rule.State.DISABLED, reason
        _keep(row)
        audit.record("rule disabled", [name], reason=reason)
    row.refresh_from_db()
    return row


def delete(name: str, *, tags: Iterable[str] | None = None) -> None:
    """Delete it, with what people have said of its alerts. What it has told stays on its channel.

    Raises:
        RuleUnknown: there is no such rule.
        RuleChanged: it has none of these tags.
    """
    with transaction.atomic():
        row = _locked(name)
        require_unchanged(row, tags)
        row.delete()
        audit.record("rule deleted", [name], channel=row.channel.channel, to=row.to.channel)


def find(name: str) -> Rule:
    """The rule of this name, with its channels.

    Raises:
        RuleUnknown: there is none.
    """
    found = _named(name).first()
    if found is None:
        raise unknown(name)
    return found


def unknown(name: str) -> RuleUnknown:
    """The error for a rule that is not there."""
    return RuleUnknown(f'There is no rule "{name}".')


def require_unchanged(row: Rule, tags: Iterable[str] | None) -> None:
    """Nothing, if it has one of these tags.

    Raises:
        RuleChanged: it has not.
    """
    if tags is not None and row.tag not in tags:
        raise RuleChanged(f'The rule "{row}" has been changed meanwhile. Look at it again.')


def _named(name: str) -> QuerySet[Rule]:
    # PostgreSQL has no text with NUL in it, so nothing can have such a name.
    return Rule.objects.select_related("channel", "to").filter(name=name.replace("\0", "/"))


def _locked(name: str) -> Rule:
    found = _named(name).select_for_update(of=("self",), no_key=True).first()
    if found is None:
        raise unknown(name)
    return found


def _lock_all() -> None:
    """Nobody makes another rule until this transaction ends. Whoever only looks goes on."""
    with connection.cursor() as sql:
        sql.execute("LOCK TABLE rules IN SHARE ROW EXCLUSIVE MODE")


def read_channel(name: str) -> Channel:
    """The channel of this name, for a rule to read. That of Relay's own events is made for it.

    Raises:
        ChannelUnknown: there is none.
    """
    if name == events.NAME:
        return events.ensure()
    found = Channel.objects.named(name)
    if found is None:
        raise unknown_channel(name)
    return found


def _output(name: str) -> Channel:
    """The channel that it writes, which is made if there is none."""
    found = Channel.objects.named(name)
    if found is None:
        try:
            return channels.start(name, EVERY, listen=False, republish=False)
        except ChannelExists:  # Somebody was quicker.
            found = read_channel(name)
    if found.listen:
        raise BadRule(
            f'to: "{name}" is listened to, and what a rule tells is not mixed with what Redis publishes. '
            "Choose another channel, or have nobody listen to this one."
        )
    if found.policy != EVERY:
        raise BadRule(
            f'to: "{name}" keeps not every message. Choose another channel, or change its '
            '`deduplicate` to "every".'
        )
    return found


def _require_no_circle(channel: Channel, to: Channel) -> None:
    """Nothing, if a rule from the one to the other closes no circle of rules, disabled ones included."""
    leads: dict[int, list[tuple[int, str]]] = {}
    for origin, end, name in Rule.objects.values_list("channel_id", "to_id", "name"):
        leads.setdefault(origin, []).append((end, name))
    waiting: list[tuple[int, list[str]]] = [(to.pk, [])]
    seen = {to.pk}
    while waiting:
        at, way = waiting.pop()
        if at == channel.pk:
            rules_on_it = ", ".join(f'"{name}"' for name in way)
            raise BadRule(
                f'to: That would be a circle: "{channel}" is made of "{to}", by {rules_on_it}. '
                "Choose another channel to write."
            )
        for end, name in leads.get(at, ()):
            if end not in seen:
                seen.add(end)
                waiting.append((end, [*way, name]))


def _keep(row: Rule) -> None:
    row.updated_at = ClockTimestamp()
    row.save()


def _exists(name: str) -> RuleExists:
    return RuleExists(f'There is a rule "{name}" already.')


def _said(exc: ValidationError) -> str:
    return " ".join(f"{column}: {' '.join(texts)}" for column, texts in exc.message_dict.items())
