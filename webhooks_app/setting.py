"""What may be set of an endpoint, and what of that is told to the audit log.

Of a URL that is its origin, since in paths and queries stand secrets of others; of headers and of TLS, names.
"""

import math
from collections.abc import Mapping
from typing import Any, Final, TypedDict

from django.core.exceptions import ValidationError

from relaycore.errors import BadEndpoint
from relaycore.outbound.headers import check as check_headers
from webhooks_app import addresses, keeping, trusting
from webhooks_app.confirming import asking
from webhooks_app.models import Endpoint

_WITHOUT_A_SITE: Final = (
    'confirmation: "options" says as whom Relay comes: set RELAY_PUBLIC_URL, or choose "challenge".'
)


class Settings(TypedDict, total=False):
    """What may be set and changed. Left out, it is what the model has.

    headers: as they are
    tls:     texts in PEM by `trusting.PARTS`; None: the defaults
    """

    url: str
    headers: Mapping[str, str]
    confirmation: str
    timeout_seconds: int
    max_concurrency: int
    max_per_second: float | None
    tls: Mapping[str, str] | None


def set_to(row: Endpoint, wanted: Settings) -> None:
    """Set what is wanted; it has to be something that can be meant.

    Raises:
        BadEndpoint, BadUrl, BadHeaders: it cannot.
        NoEncryptionKey, CannotDecrypt: headers or a key cannot be kept, or the key of before not be read.
    """
    given = dict[str, Any](wanted)
    if "url" in given:
        given["url"] = str(addresses.require(given["url"]))
    if "headers" in given:
        check_headers(given["headers"])
        given["headers"] = keeping.headers_column(given["headers"])
    if given.get("confirmation") == Endpoint.Confirmation.OPTIONS and not asking.origin():
        raise BadEndpoint(_WITHOUT_A_SITE)
    if "tls" in given:
        trusting.set_to(row, given.pop("tls"))
    for column, value in given.items():
        setattr(row, column, value)
    # It is neither less than the least nor more than the most.
    if row.max_per_second is not None and math.isnan(row.max_per_second):
        raise BadEndpoint("max_per_second: NaN is no number.")
    trusting.require_https(row)
    try:
        row.clean_fields(exclude=["owner", "headers", "tls_key"])
    except ValidationError as exc:
        said = [f"{column}: {' '.join(texts)}" for column, texts in exc.message_dict.items()]
        raise BadEndpoint(" ".join(said)) from exc


def told(wanted: Settings) -> dict[str, Any]:
    """For the audit log: what is no secret."""
    found = dict[str, Any](wanted)
    if "url" in found:
        found["url"] = addresses.require(found["url"]).origin
    if "headers" in found:
        found["headers"] = sorted(found["headers"])
    if "tls" in found:
        found["tls"] = sorted(name for name, text in (found["tls"] or {}).items() if text)
    return found
