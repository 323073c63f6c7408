"""From which address a request came, where there are proxies in front (`RELAY_TRUSTED_PROXIES`).

Each proxy adds at the right end of X-Forwarded-For who asked it; what stands further left is what that one
was told. So it is read from the right, and only as long as whoever has added an entry is one of the trusted
proxies. The first address that is none of them is the client's: what he has written there himself stands left
of it, and is never reached. Without trusted proxies the header counts for nothing.
"""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


def client_address(peer: str, forwarded: str, trusted: Sequence[Network]) -> str:
    """The client's address, as it is shown and counted.

    peer:      who has opened the connection
    forwarded: X-Forwarded-For, several of them joined with commas; empty where there is none
    trusted:   the networks of the proxies

    What is no address ends the search: the last one that is sure stays.
    """
    sure = _address(peer)
    if sure is None:
        return peer
    for entry in reversed(forwarded.split(",")):
        if not any(sure in network for network in trusted):
            break
        further = _address(entry)
        if further is None:
            break
        sure = further
    return str(sure)


def _address(text: str) -> Address | None:
    """With the port that some proxies add, or without; an IPv4 address in an IPv6 one is the former."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


class FindClient:
    """Middleware: `REMOTE_ADDR` is the client's."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if settings.RELAY_TRUSTED_PROXIES:
            request.META["REMOTE_ADDR"] = client_address(
                request.META.get("REMOTE_ADDR", ""),
                request.META.get("HTTP_X_FORWARDED_FOR", ""),
                settings.RELAY_TRUSTED_PROXIES,
            )
        return self._get_response(request)
