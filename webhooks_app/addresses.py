"""Which URLs an endpoint may have: `relaycore.outbound.urls` with what this deployment allows."""

from django.conf import settings

from relaycore.outbound import urls
from relaycore.outbound.addresses import Allowed
from relaycore.outbound.urls import Url


def networks() -> Allowed:
    """Which addresses may be connected to."""
    return Allowed(settings.RELAY_WEBHOOK_ALLOWED_NETWORKS)


def require(url: str) -> Url:
    """What the URL says. Where a name leads shows at each attempt.

    Raises:
        BadUrl: nothing can be sent there. The text says what to do.
    """
    found = urls.read(url)
    found.check(networks())
    return found
