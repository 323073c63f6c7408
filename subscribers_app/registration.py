"""Making, changing, pausing and deleting subscriptions: the one place for the API, the admin and commands.

The row is the truth. Whoever hands out remembers it for a moment (`remembering`), and looks at it again when
it has changed; where the cursor stands is asked each time.

What was decided by a row is done to that row (`starting.Which`): whoever may do something to a subscription
may do it on its channel, and there may be another one of its name a moment later.

Mode, channel and name never change: a cursor on another channel is another subscription. Nor does an order by
a field: what waits would have to be put into another order.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict, Unpack

from django.db import IntegrityError, connection, transaction

from access_app import audit
from channels_app.models import Channel
from channels_app.registration import unknown as unknown_channel
from events_app import channel as events
from messages_app.searching import counting
from relaybase.postgres.clock import ClockTimestamp
from relaycore.delivering.beginning import Start
from relaycore.delivering.cursor import Cursor, first_generation
from relaycore.errors import RelayError, SubscriptionChanged, SubscriptionExists, SubscriptionUnknown
from subscribers_app import ordering, seeking, starting
from subscribers_app.kinds import kind as kinds
from subscribers_app.kinds.checking import LEASE_ONLY, set_to
from subscribers_app.kinds.kind import Making
from subscribers_app.models import Subscription
from subscribers_app.pulling import holding
from subscribers_app.starting import Which

SETTINGS = ("filter", "filter_scope", "delay_seconds", *LEASE_ONLY)

_CHANGED = ("revision", "earlier_filters", "fetched", "generation", "updated_at")


class Settings(TypedDict, total=False):
    """What may be set and changed, by column. Left out, it is what the model has."""

    filter: Any
    filter_scope: str
    delay_seconds: int
    order: str
    order_field: str
    ack_deadline_seconds: int
    max_deliveries: int | None
    max_outstanding: int


def create(name: str, channel: str, mode: str, start: Start, **wanted: Unpack[Settings]) -> Subscription:
    """Make a subscription; its row. What was deleted of the channel before is none of its concern.

    Raises:
        BadSubscription: it cannot be meant.
        ChannelUnknown: there is no such channel.
        SubscriptionExists: there is one of this name.
        Disconnected: where it is to begin cannot be learnt now.
        pymongo.errors.PyMongoError: MongoDB does not answer.
    """
    (made,) = create_all([(name, channel)], mode, start, **wanted)
    return made


def create_all(
    named: Sequence[tuple[str, str]],
    mode: str,
    start: Start,
    kind: str = Subscription.Kind.PULL,
    making: Making | None = None,
    **wanted: Unpack[Settings],
) -> list[Subscription]:
    """The same for several, each with its name and its channel: all of them, or none.

    making: what is made along with them, as their kind has begun it
    """
    made, making = [], making or Making()
    for name, channel in named:
        row = Subscription(name=name, channel=_channel(channel), mode=mode, kind=kind)
        set_to(row, wanted)
        made.append(row)
    # Before anybody is asked where to begin. Of two at once the constraint decides.
    if (taken := Subscription.objects.filter(name__in=[name for name, _ in named]).first()) is not None:
        raise _exists(taken.name)
    for row in made:
        begin(row, start)
    try:
        with transaction.atomic():
            for row in made:
                row.save(force_insert=True)
                row.generation = first_generation(row.pk)
                row.save(update_fields=["generation"])
            making.attach(made)
            for row in made:
                told = {"kind": kind, "mode": mode, "position": row.position, **wanted, **making.on_record()}
                audit.record("subscription created", [row.name], channel=row.channel.channel, **told)
            connection.check_constraints()
    except IntegrityError as exc:
        raise _why_not(made) from exc
    for row in made:
        row.refresh_from_db()
    return made


def begin(row: Subscription, start: Start) -> None:
    """Where it stands. What retention has deleted so far is noted first: it is no loss of this reader."""
    gone = counting.deleted(row.channel.channel)
    row.noted_upto, row.noted_messages = gone.upto, gone.messages
    row.position = row.fetched = starting.resolve(row.channel.channel, start)


def change(
    which: Which,
    *,
    tags: Iterable[str] | None = None,
    more: Mapping[str, Any] | None = None,
    **wanted: Unpack[Settings],
) -> Subscription:
    """Change settings, from now on; the row. Whoever hands out by those of before learns these first.

    A filter holds for what is above the cursor, which goes on record. In mode `cursor` it is a seek to there.

    tags: one of them is that of the settings when this was decided
    more: what only its kind has

    Raises:
        SubscriptionUnknown: there is no such subscription.
        SubscriptionChanged: it has none of these tags.
        BadSubscription: it cannot be meant.
    """
    with transaction.atomic():
        row = locked(which)
        require_unchanged(row, tags)
        ordering.require_for_good(row, wanted.get("order"), wanted.get("order_field"))
        chosen = row.filter, row.filter_scope
        set_to(row, wanted)
        if more:
            kinds.of(row.kind).change(row, more)
        row.revision += 1
        if chosen != (row.filter, row.filter_scope):
            with connection.cursor() as sql:
                ordering.keep(row, chosen, holding.all_of(sql, row.pk))
        if row.mode == Subscription.Mode.CURSOR and wanted.keys() & {"filter", "filter_scope"}:
            cursor = Cursor(row.position, row.fetched, row.generation).choose_anew()
            row.fetched, row.generation = cursor.fetched, cursor.generation
        row.updated_at = ClockTimestamp()
        row.save(update_fields=[*wanted, *_CHANGED])
        audit.record("subscription changed", [row.name], from_position=row.position, **wanted, **(more or {}))
    row.refresh_from_db()
    return row


def delete(which: Which, *, tags: Iterable[str] | None = None) -> None:
    """Delete a subscription, with what is on its way, dead and on record of it.

    Raises:
        SubscriptionUnknown: there is no such subscription.
        SubscriptionChanged: it has none of these tags.
    """
    with transaction.atomic():
        row = locked(which)
        require_unchanged(row, tags)
        row.delete()
        audit.record("subscription deleted", [row.name], channel=row.channel.channel, position=row.position)


def delete_all(rows: Any) -> int:
    """Delete these subscriptions; how many there were."""
    deleted = 0
    with transaction.atomic():
        for name in list(rows.order_by("pk").values_list("name", flat=True)):
            try:
                delete(name)
            except SubscriptionUnknown:  # Somebody was quicker.
                continue
            deleted += 1
    return deleted


def delete_of_channels(channels: Sequence[str]) -> None:
    """Delete whoever reads these channels, which are about to be removed."""
    delete_all(Subscription.objects.filter(channel__channel__in=channels))


def pause(which: Which, reason: str = "") -> Subscription:
    """Hand out nothing from now on; the row. What is leased may be confirmed still.

    Raises:
        SubscriptionUnknown: there is no such subscription.
    """
    with transaction.atomic():
        row = locked(which)
        _turn(row, Subscription.State.PAUSED, reason)
        audit.record("subscription paused", [row.name], reason=reason)
    row.refresh_from_db()
    return row


def resume(which: Which, start: Start | None = None) -> Subscription:
    """Hand out again; the row. None: from where it stands.

    Raises:
        SubscriptionUnknown: there is no such subscription.
        Disconnected, pymongo.errors.PyMongoError: where it is to go on cannot be learnt now.
    """
    with transaction.atomic():
        if start is not None:
            seeking.seek(which, start)
        row = locked(which)
        _turn(row, Subscription.State.ACTIVE, "")
        audit.record("subscription resumed", [row.name], position=row.position)
    row.refresh_from_db()
    return row


def find(name: str) -> Subscription:
    """The subscription of this name, with its channel.

    Raises:
        SubscriptionUnknown: there is none.
    """
    found = starting.meant(name).first()
    if found is None:
        raise starting.unknown(name)
    return found


def locked(which: Which) -> Subscription:
    """The same, locked as `pulling.ledger.lock` does."""
    found = starting.meant(which).select_for_update(of=("self",), no_key=True).first()
    if found is None:
        raise starting.unknown(which)
    return found


def require_unchanged(row: Subscription, tags: Iterable[str] | None) -> None:
    """Nothing, if its settings have one of these tags.

    Raises:
        SubscriptionChanged: they have not.
    """
    if tags is not None and row.tag not in tags:
        raise SubscriptionChanged(f'The subscription "{row}" has been changed meanwhile. Look at it again.')


def _channel(name: str) -> Channel:
    if name == events.NAME:  # It is there as soon as somebody asks for it.
        events.ensure()
    found = Channel.objects.named(name)
    if found is None:
        raise unknown_channel(name)
    return found


def _exists(name: str) -> SubscriptionExists:
    return SubscriptionExists(f'There is a subscription "{name}" already.')


def _why_not(rows: Sequence[Subscription]) -> RelayError:
    """Somebody was quicker: he has made one of the same name, or removed a channel."""
    for row in rows:
        if not Channel.objects.filter(pk=row.channel_id).exists():
            return unknown_channel(row.channel.channel)
    names = [row.name for row in rows]
    taken = Subscription.objects.filter(name__in=names).values_list("name", flat=True).first()
    return _exists(taken or names[0])


def _turn(row: Subscription, state: str, reason: str) -> None:
    row.state, row.reason, row.updated_at = state, reason, ClockTimestamp()
    row.save(update_fields=["state", "reason", "updated_at"])
