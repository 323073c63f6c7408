"""Making, changing, enabling and deleting endpoints: the one place for the API, the admin and commands.

What is decided by a row is done to that row (`finding.Which`), and who may do it is asked once it is locked.
It is locked before the subscriptions that hang on it, and these in the order of their ids.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Unpack

from django.db import IntegrityError, connection, transaction
from django.db.models import F

from access_app import audit
from access_app.actor import Actor, acting
from events_app.noting import Type, note
from relaybase.postgres.clock import ClockTimestamp
from relaybase.postgres.encrypting import require_key
from relaycore.delivering.beginning import Start
from relaycore.errors import BadEndpoint, EndpointExists, EndpointInUse, NotConfirmed
from subscribers_app import registration as subscriptions
from subscribers_app import seeking
from subscribers_app.models import Subscription
from webhooks_app import finding, keeping
from webhooks_app.confirming import asking
from webhooks_app.finding import Which
from webhooks_app.models import Endpoint
from webhooks_app.setting import Settings, set_to, told

State: Final = Endpoint.State
Confirmation: Final = Endpoint.Confirmation

_MOST_TOLD: Final = 20

_FOR_WHICH: Final = (
    'confirmation: To answer for it, say for which URL: give "url" as well, or If-Match with the ETag of '
    "what you have looked at."
)

Allowing = Callable[[list[str]], None]
"""Is given the channels of all that hangs on an endpoint, and raises what it likes if that is not allowed.

It is called once the endpoint is locked: nothing else can hang on it by then.
"""


def _nobody_minds(*_: object) -> None:
    pass


def create(
    name: str, owner: Any, signatures: Sequence[str] = (keeping.V1,), **wanted: Unpack[Settings]
) -> tuple[Endpoint, dict[str, str]]:
    """Make an endpoint; its row, and its secrets by kind, which are shown this once (`keeping.renew`).

    One that is vouched for is active; whoever calls has seen to it that he may. Others are asked.

    Raises:
        BadEndpoint, BadUrl, BadHeaders: it cannot be meant.
        EndpointExists: there is one of this name, or of this owner and URL.
        NoEncryptionKey: its secrets cannot be kept.
        TooManyAsked: its host, or his endpoints, were asked too often lately.
    """
    require_key()
    row = Endpoint(name=name, owner=owner)
    set_to(row, wanted)
    try:
        with transaction.atomic():
            if Endpoint.objects.filter(name=name).exists():
                raise _exists(row)
            row.save(force_insert=True)
            secrets = keeping.renew(row, signatures)
            _confirm_or_ask(row)
            audit.record("endpoint created", [name], **told(wanted))
    except IntegrityError as exc:
        raise _exists(row) from exc
    row.refresh_from_db()
    return row, secrets


def change(
    which: Which,
    *,
    tags: Iterable[str] | None = None,
    may_vouch: Callable[[], None] = _nobody_minds,
    **wanted: Unpack[Settings],
) -> Endpoint:
    """Change settings; the row. With another URL it is pending again, or disabled still. Raises as `create`.

    tags:      one of them is that of the endpoint when this was decided
    may_vouch: is called, with the endpoint locked, if somebody is to answer for its URL by this; it raises
               what it likes if he may not

    Raises:
        EndpointUnknown: there is no such endpoint.
        EndpointChanged: it has none of these tags.
    """
    try:
        with transaction.atomic():
            row = finding.locked(which)
            finding.require_unchanged(row, tags)
            before = row.url, row.confirmation
            set_to(row, wanted)
            if row.confirmation == Confirmation.VOUCHED and before != (row.url, row.confirmation):
                may_vouch()
                # Else it would be for whatever URL somebody else has set at this moment.
                if "url" not in wanted and tags is None:
                    raise BadEndpoint(_FOR_WHICH)
            if row.url != before[0]:
                row.confirmed_at = None
                # What has come while it was disabled is sent once it is enabled, from where it is said then.
                if row.state != State.DISABLED:
                    row.state, row.reason = State.PENDING, ""
                    _begin_anew(row)
            _keep(row)
            is_open = row.confirmed_at is None and row.state == State.PENDING
            if is_open and before != (row.url, row.confirmation):
                _confirm_or_ask(row)
            audit.record("endpoint changed", [row.name], **told(wanted))
    except IntegrityError as exc:
        raise _exists(row) from exc
    row.refresh_from_db()
    return row


def rotate(which: Which, kind: str | None, overlap_seconds: int) -> dict[str, str]:
    """Give it other secrets: of this kind, or of each that it has. They are shown this once.

    Raises:
        EndpointUnknown, NoEncryptionKey, BadEndpoint: see `keeping.renew`.
    """
    with transaction.atomic():
        row = finding.locked(which)
        kinds = [kind] if kind else sorted(set(row.secrets.values_list("kind", flat=True)))
        secrets = keeping.renew(row, kinds, overlap_seconds)
        _keep(row)
        audit.record("endpoint rotated", [row.name], kinds=kinds, overlap_seconds=overlap_seconds)
    return secrets


def ask_again(which: Which) -> Endpoint:
    """Ask it for its confirmation once more; the row.

    Raises:
        EndpointUnknown: there is no such endpoint.
        NotConfirmed: it need not be asked.
        TooManyAsked: it was lately.
    """
    with transaction.atomic():
        row = finding.locked(which)
        if row.state != State.PENDING:
            raise NotConfirmed(f'"{row}" is {row.state}, so there is nothing to confirm.')
        _confirm_or_ask(row)
        audit.record("endpoint asked", [row.name])
    row.refresh_from_db()
    return row


def enable(which: Which, start: Start | None = None, may_seek: Allowing = _nobody_minds) -> Endpoint:
    """Send to it again; the row. If its URL is not confirmed it is pending.

    start:    from where its subscriptions go on; None: from where each stands
    may_seek: is asked if they are to go on from elsewhere

    Raises:
        EndpointUnknown: there is no such endpoint.
        Disconnected, pymongo.errors.PyMongoError: where it is to go on cannot be learnt now.
        TooManyAsked: it would have to be asked.
    """
    with transaction.atomic():
        row = finding.locked(which)
        if start is not None:
            hooked = _hooked(row)
            may_seek([one.channel.channel for one in hooked])
            for one in hooked:
                seeking.seek(one, start)
        was_disabled = row.state == State.DISABLED
        _begin_anew(row)
        if was_disabled:
            row.state = State.PENDING if row.confirmed_at is None else State.ACTIVE
            row.reason = ""
        _keep(row)
        if was_disabled and row.state == State.PENDING:
            _confirm_or_ask(row)
        audit.record("endpoint enabled", [row.name], state=row.state)
    row.refresh_from_db()
    return row


def disable(which: Which, reason: str = "") -> Endpoint:
    """Send nothing to it from now on; the row. Its subscriptions lag.

    Raises:
        EndpointUnknown: there is no such endpoint.
    """
    with transaction.atomic():
        row = finding.locked(which)
        row.state, row.reason, row.is_given_up = State.DISABLED, reason, False
        _keep(row)
        audit.record("endpoint disabled", [row.name], reason=reason)
    row.refresh_from_db()
    return row


def disable_by_sender(number: int, revision: int, reason: str) -> bool:
    """The same by a sender, which has seen that nobody is there; whether it was still as the sender knew."""
    with transaction.atomic():
        found = Endpoint.objects.filter(pk=number, revision=revision, state=State.ACTIVE)
        is_done = found.update(
            state=State.DISABLED,
            reason=reason,
            is_given_up=True,
            revision=F("revision") + 1,
            updated_at=ClockTimestamp(),
        )
        if is_done:
            _tell_of_the_end(Endpoint.objects.get(pk=number))
    return bool(is_done)


def _tell_of_the_end(row: Endpoint) -> None:
    with acting(Actor("relay", "sender")):
        audit.record("endpoint disabled", [row.name], reason=row.reason)
    names = [one.name for one in _hooked(row)]
    data = {"reason": row.reason, "subscriptions": names[:_MOST_TOLD], "subscriptions_count": len(names)}
    with connection.cursor() as sql:
        note(sql, Type.DISABLED, row.pk, row.revision, f"endpoints/{row.name}", data)


def delete(
    which: Which,
    *,
    tags: Iterable[str] | None = None,
    cascade: bool = False,
    may_delete: Allowing = _nobody_minds,
) -> None:
    """Delete it.

    tags:       one of them is that of the endpoint when this was decided
    cascade:    with the subscriptions that hang on it
    may_delete: is asked whether these may go

    Raises:
        EndpointUnknown: there is no such endpoint.
        EndpointChanged: it has none of these tags.
        EndpointInUse: there are subscriptions, and they are not to go.
    """
    with transaction.atomic():
        row = finding.locked(which)
        finding.require_unchanged(row, tags)
        hooked = _hooked(row)
        if hooked and not cascade:
            raise EndpointInUse(
                f"{len(hooked)} subscriptions are sent to it: delete them first, or with it by ?cascade=true."
            )
        may_delete([one.channel.channel for one in hooked])
        for one in hooked:
            subscriptions.delete(one)
        row.delete()
        audit.record("endpoint deleted", [row.name], subscriptions=len(hooked))


def _hooked(row: Endpoint) -> list[Subscription]:
    """Its subscriptions, in the order in which they are locked."""
    return list(Subscription.objects.select_related("channel").filter(webhook__endpoint=row).order_by("pk"))


def _exists(row: Endpoint) -> EndpointExists:
    if (other := Endpoint.objects.filter(owner=row.owner_id, url=row.url).exclude(pk=row.pk).first()) is None:
        return EndpointExists(f'There is an endpoint "{row.name}" already.')
    return EndpointExists(f'You have an endpoint with this URL already: "{other}".')


def _keep(row: Endpoint) -> None:
    row.revision += 1
    row.updated_at = ClockTimestamp()
    row.save()


def _begin_anew(row: Endpoint) -> None:
    """What senders have learnt of it is about what it was."""
    row.breaker, row.breaker_until, row.breaker_failures = Endpoint.Breaker.CLOSED, 0, 0
    row.failing_since = row.failed_at = None
    row.is_given_up = False


def _confirm_or_ask(row: Endpoint) -> None:
    if row.confirmation != Confirmation.VOUCHED:
        asking.ask(row)
        return
    row.state, row.reason, row.confirmed_at = State.ACTIVE, "", ClockTimestamp()
    _keep(row)
    audit.record("endpoint vouched for", [row.name])
