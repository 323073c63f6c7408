"""What endpoints have that nobody may read in PostgreSQL: their secrets and the owner's headers, encrypted.

A secret is kept as its text, the way Standard Webhooks writes it (`webhooks_app.signing`). An endpoint has
one of each kind that it signs with, and for a while those of before: a receiver takes either, so nobody has
to change two programs in the same instant. One that ends does so when that was said, whatever is rotated
afterwards, and is deleted within the hour (`forget_ended`).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.db import transaction

from access_app import audit
from relaybase.postgres.clock import ClockTimestamp
from relaybase.postgres.encrypting import decrypt, encrypt, encrypt_anew
from relaycore.errors import BadEndpoint, CannotDecrypt, NoEncryptionKey
from relaycore.sending.signing import Secret
from webhooks_app import signing as texts
from webhooks_app.models import Endpoint, EndpointSecret

V1: Final = EndpointSecret.Kind.SYMMETRIC.value
V1A: Final = EndpointSecret.Kind.ASYMMETRIC.value

OVERLAP_SECONDS: Final = 24 * 3600
MOST_OVERLAP_SECONDS: Final = 7 * 24 * 3600
MOST_SIGNING: Final = 5
"""Of one kind at once: each is a signature more in every request."""


def headers_column(headers: Mapping[str, str]) -> bytes:
    """As the column of an endpoint has them.

    Raises:
        NoEncryptionKey: there is nothing to encrypt them with.
    """
    return encrypt(json.dumps(dict(headers)).encode()) if headers else b""


def headers_of(column: bytes | memoryview) -> dict[str, str]:
    """The owner's headers, as the column has them.

    Raises:
        NoEncryptionKey, CannotDecrypt: they cannot be read.
    """
    found: dict[str, str] = json.loads(decrypt(column)) if column else {}
    return found


def renew(row: Endpoint, kinds: Iterable[str], overlap_seconds: int = OVERLAP_SECONDS) -> dict[str, str]:
    """Another secret of each of these kinds; what whoever receives needs of it, by kind, to be shown once.

    Of `v1a` that is the public key: the private one leaves Relay never. Those of before sign for
    `overlap_seconds` more, if they do not end sooner; one that no key reads signs nothing, and ends at once.
    Call it with the row locked.

    Raises:
        NoEncryptionKey: there is nothing to encrypt them with.
        BadEndpoint: too many sign already.
    """
    shown = {}
    EndpointSecret.objects.filter(endpoint=row, ends_at__lte=ClockTimestamp()).delete()
    for kind in kinds:
        before = EndpointSecret.objects.filter(endpoint=row, kind=kind)
        # What no key reads would hold the endpoint up for as long as it is said to sign.
        over = [one.pk for one in before.all() if not overlap_seconds or not _is_readable(one)]
        before.filter(pk__in=over).delete()
        if before.count() >= MOST_SIGNING:
            raise BadEndpoint(
                f"{MOST_SIGNING} secrets of this kind sign at once already. Wait until one of them ends, or "
                "end all of them by overlap_seconds 0."
            )
        # What ends already ends when it was said to.
        before.filter(ends_at=None).update(ends_at=ClockTimestamp() + timedelta(seconds=overlap_seconds))
        text = texts.new_shared() if kind == V1 else texts.new_private()
        public = "" if kind == V1 else texts.public_of(text)
        EndpointSecret.objects.create(endpoint=row, kind=kind, value=encrypt(text.encode()), public=public)
        shown[kind] = public or text
    return shown


def secret(row: EndpointSecret) -> Secret:
    """What signs, of one row.

    Raises:
        NoEncryptionKey, CannotDecrypt: it cannot be read.
    """
    return texts.read(decrypt(row.value).decode())


def _is_readable(row: EndpointSecret) -> bool:
    try:
        decrypt(row.value)
    except CannotDecrypt:
        return False
    return True


def unreadable(row: Endpoint, secrets: Iterable[EndpointSecret]) -> str:
    """Why nothing can be sent to it, whatever its state: something cannot be read here. Empty: all can be.

    secrets: those with which it signs
    """
    try:
        for kept in (row.headers, row.tls_key, *(one.value for one in secrets)):
            if kept:
                decrypt(kept)
    except (NoEncryptionKey, CannotDecrypt) as exc:
        return str(exc)
    return ""


def signing(row: Endpoint) -> list[Secret]:
    """The secrets with which this endpoint signs now, the newest one first.

    Raises:
        NoEncryptionKey, CannotDecrypt: one of them cannot be read.
    """
    try:
        return [secret(one) for one in EndpointSecret.objects.signing().filter(endpoint=row)]
    except CannotDecrypt as exc:
        raise CannotDecrypt(f'Endpoint "{row}": {exc}') from exc


def forget_ended() -> int:
    """Delete the secrets that sign nothing any more; how many there were.

    Raises:
        django.db.Error: PostgreSQL does not answer.
    """
    return EndpointSecret.objects.filter(ends_at__lte=ClockTimestamp()).delete()[0]


@dataclass(frozen=True, slots=True)
class Anew:
    """How much was encrypted anew. `unread`: endpoints of which something cannot be, and stays as it is."""

    count: int
    unread: list[str]


def encrypt_all_anew() -> Anew:
    """Encrypt everything by the first key. It may be done while everything runs, and any number of times.

    What is changed meanwhile is encrypted by the first key anyway, by whoever has these keys already.

    Raises:
        NoEncryptionKey: there is none.
    """
    count, unread = 0, set[str]()
    columns: list[tuple[Any, str, str]] = [
        (Endpoint.objects.exclude(headers=b""), "headers", "name"),
        (Endpoint.objects.exclude(tls_key=b""), "tls_key", "name"),
        (EndpointSecret.objects.all(), "value", "endpoint__name"),
    ]
    for rows, column, name in columns:
        for pk, before, whose in rows.order_by("pk").values_list("pk", column, name):
            try:
                after = encrypt_anew(before)
            except CannotDecrypt:
                unread.add(whose)
            else:
                count += rows.filter(pk=pk, **{column: before}).update(**{column: after})
    with transaction.atomic():
        audit.record("secrets encrypted anew", ["endpoints"], secrets=count, unread=sorted(unread))
    return Anew(count, sorted(unread))
