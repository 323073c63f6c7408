"""Making, changing, enabling and deleting endpoints: the one place for the API, the admin and commands.

What is told to the audit log of a URL is its origin: in paths and queries stand secrets of others.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypedDict, Unpack

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F

from access_app import audit
from access_app.actor import Actor, acting
from relaybase.postgres.clock import ClockTimestamp
from relaybase.postgres.encrypting import require_key
from relaycore.delivering.beginning import Start
from relaycore.errors import BadEndpoint, EndpointExists, EndpointInUse, NotConfirmed
from relaycore.outbound.headers import check as check_headers
from subscribers_app import registration as subscriptions
from subscribers_app import seeking
from webhooks_app import addresses, finding, keeping
from webhooks_app.confirming import asking
from webhooks_app.models import Endpoint

State: Final = Endpoint.State
Confirmation: Final = Endpoint.Confirmation

_WITHOUT_A_SITE: Final = (
    'confirmation: "options" says as whom Relay comes: set RELAY_PUBLIC_URL, or choose "challenge".'
)


class Settings(TypedDict, total=False):
    """What may be set and changed. Left out, it is what the model has. `headers`: as they are."""

    url: str
    headers: Mapping[str, str]
    confirmation: str
    timeout_seconds: int
    max_concurrency: int
    max_per_second: float | None


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
    _set(row, wanted)
    try:
        with transaction.atomic():
            if Endpoint.objects.filter(name=name).exists():
                raise _exists(row)
            row.save(force_insert=True)
            secrets = keeping.renew(row, signatures)
            _confirm_or_ask(row)
            audit.record("endpoint created", [name], **_told(wanted))
    except IntegrityError as exc:
        raise _exists(row) from exc
    row.refresh_from_db()
    return row, secrets


def change(name: str, *, tags: Iterable[str] | None = None, **wanted: Unpack[Settings]) -> Endpoint:
    """Change settings; the row. With another URL it is pending again, whatever it was. It raises as `create`.

    tags: one of them is that of the endpoint when this was decided

    Raises:
        EndpointUnknown: there is no such endpoint.
        EndpointChanged: it has none of these tags.
    """
    try:
        with transaction.atomic():
            row = finding.locked(name)
            finding.require_unchanged(row, tags)
            before = row.url, row.confirmation
            _set(row, wanted)
            if row.url != before[0]:
                row.confirmed_at, row.state, row.reason = None, State.PENDING, ""
                _begin_anew(row)
            _keep(row)
            is_open = row.confirmed_at is None and row.state == State.PENDING
            if is_open and before != (row.url, row.confirmation):
                _confirm_or_ask(row)
            audit.record("endpoint changed", [name], **_told(wanted))
    except IntegrityError as exc:
        raise _exists(row) from exc
    row.refresh_from_db()
    return row


def rotate(name: str, kind: str | None, overlap_seconds: int) -> dict[str, str]:
    """Give it other secrets: of this kind, or of each that it has. They are shown this once.

    Raises:
        EndpointUnknown, NoEncryptionKey, BadEndpoint: see `keeping.renew`.
    """
    with transaction.atomic():
        row = finding.locked(name)
        kinds = [kind] if kind else sorted(set(row.secrets.values_list("kind", flat=True)))
        secrets = keeping.renew(row, kinds, overlap_seconds)
        _keep(row)
        audit.record("endpoint rotated", [name], kinds=kinds, overlap_seconds=overlap_seconds)
    return secrets


def ask_again(name: str) -> Endpoint:
    """Ask it for its confirmation once more; the row.

    Raises:
        EndpointUnknown: there is no such endpoint.
        NotConfirmed: it need not be asked.
        TooManyAsked: it was lately.
    """
    with transaction.atomic():
        row = finding.locked(name)
        if row.state != State.PENDING:
            raise NotConfirmed(f'"{row}" is {row.state}, so there is nothing to confirm.')
        _confirm_or_ask(row)
        audit.record("endpoint asked", [name])
    row.refresh_from_db()
    return row


def enable(name: str, start: Start | None = None) -> Endpoint:
    """Send to it again; the row. If its URL is not confirmed it is pending. None: from where each stands.

    Raises:
        EndpointUnknown: there is no such endpoint.
        Disconnected, pymongo.errors.PyMongoError: where it is to go on cannot be learnt now.
        TooManyAsked: it would have to be asked.
    """
    with transaction.atomic():
        row = finding.locked(name)
        if start is not None:
            for hook in list(row.webhooks.order_by("pk").values_list("subscription__name", flat=True)):
                seeking.seek(hook, start)
        was_disabled = row.state == State.DISABLED
        _begin_anew(row)
        if was_disabled:
            row.state = State.PENDING if row.confirmed_at is None else State.ACTIVE
            row.reason = ""
        _keep(row)
        if was_disabled and row.state == State.PENDING:
            _confirm_or_ask(row)
        audit.record("endpoint enabled", [name], state=row.state)
    row.refresh_from_db()
    return row


def disable(name: str, reason: str = "") -> Endpoint:
    """Send nothing to it from now on; the row. Its subscriptions lag.

    Raises:
        EndpointUnknown: there is no such endpoint.
    """
    with transaction.atomic():
        row = finding.locked(name)
        row.state, row.reason, row.is_given_up = State.DISABLED, reason, False
        _keep(row)
        audit.record("endpoint disabled", [name], reason=reason)
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
            with acting(Actor("relay", "sender")):
                names = Endpoint.objects.filter(pk=number).values_list("name", flat=True)
                audit.record("endpoint disabled", names, reason=reason)
    return bool(is_done)


def delete(name: str, *, tags: Iterable[str] | None = None, cascade: bool = False) -> None:
    """Delete it. `cascade`: with the subscriptions that hang on it.

    Raises:
        EndpointUnknown: there is no such endpoint.
        EndpointChanged: it has none of these tags.
        EndpointInUse: there are subscriptions, and they are not to go.
    """
    with transaction.atomic():
        row = finding.locked(name)
        finding.require_unchanged(row, tags)
        names = list(row.webhooks.values_list("subscription__name", flat=True))
        if names and not cascade:
            raise EndpointInUse(
                f"{len(names)} subscriptions are sent to it: delete them first, or with it by ?cascade=true."
            )
        for one in names:
            subscriptions.delete(one)
        row.delete()
        audit.record("endpoint deleted", [name], subscriptions=len(names))


def _exists(row: Endpoint) -> EndpointExists:
    if (other := Endpoint.objects.filter(owner=row.owner_id, url=row.url).exclude(pk=row.pk).first()) is None:
        return EndpointExists(f'There is an endpoint "{row.name}" already.')
    return EndpointExists(f'You have an endpoint with this URL already: "{other}".')


def _set(row: Endpoint, wanted: Settings) -> None:
    given = dict[str, Any](wanted)
    if "url" in given:
        given["url"] = str(addresses.require(given["url"]))
    if "headers" in given:
        check_headers(given["headers"])
        given["headers"] = keeping.headers_column(given["headers"])
    if given.get("confirmation") == Confirmation.OPTIONS and not asking.origin():
        raise BadEndpoint(_WITHOUT_A_SITE)
    for column, value in given.items():
        setattr(row, column, value)
    # It is neither less than the least nor more than the most.
    if row.max_per_second is not None and math.isnan(row.max_per_second):
        raise BadEndpoint("max_per_second: NaN is no number.")
    try:
        row.clean_fields(exclude=["owner", "headers"])
    except ValidationError as exc:
        said = [f"{column}: {' '.join(texts)}" for column, texts in exc.message_dict.items()]
        raise BadEndpoint(" ".join(said)) from exc


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


def _told(wanted: Settings) -> dict[str, Any]:
    """For the audit log: no values of headers, and of the URL what is no secret."""
    told = dict[str, Any](wanted)
    if "url" in told:
        told["url"] = addresses.require(told["url"]).origin
    if "headers" in told:
        told["headers"] = sorted(told["headers"])
    return told
