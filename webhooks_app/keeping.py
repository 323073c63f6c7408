"""What endpoints have that nobody may read in PostgreSQL: their secrets and the owner's headers, encrypted.

A secret is kept as its text, the way Standard Webhooks writes it (`whsec_…`, `whsk_…`).
"""

import json
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from access_app import audit
from relaybase.postgres.encrypting import decrypt, encrypt, encrypt_anew
from webhooks_app.models import Endpoint, EndpointSecret


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


def encrypt_all_anew() -> int:
    """Encrypt everything by the first key; how much there is. It may be done while everything runs.

    What is changed meanwhile is encrypted by the first key anyway, by whoever has these keys already.

    Raises:
        NoEncryptionKey, CannotDecrypt: something cannot be read; what came before it is done.
    """
    count = 0
    columns: list[tuple[Any, str]] = [
        (Endpoint.objects.exclude(headers=b""), "headers"),
        (EndpointSecret.objects.all(), "value"),
    ]
    for rows, column in columns:
        for pk, before in rows.order_by("pk").values_list("pk", column):
            count += rows.filter(pk=pk, **{column: before}).update(**{column: encrypt_anew(before)})
    with transaction.atomic():
        audit.record("secrets encrypted anew", ["endpoints"], secrets=count)
    return count
