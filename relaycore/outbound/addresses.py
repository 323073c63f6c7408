"""Which addresses a webhook may be sent to: those of the public Internet, and what the operator adds.

Whoever makes an endpoint chooses a host, and so would have Relay ask whatever stands beside it: the cloud's
metadata service, a database, a page for administrators. So it is decided for each address that is about to be
connected to, however it was written and whichever name has led to it.

What is refused is what the registries of IANA for special-purpose addresses list (RFC 6890 and what has come
since), and a few that lead inside without standing there. Of IPv6 only 2000::/3 is taken at all: nothing else
is given out as a public address. Python's `is_private` is not enough: it lets pass, among others,
100.64.0.0/10, 168.63.129.16, and IPv6 addresses with an IPv4 one in them.
"""

from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_SPECIAL: Final[Sequence[Network]] = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",  # This network; on many systems the machine itself.
            "10.0.0.0/8",
            "100.64.0.0/10",  # Shared by carriers; some clouds have their metadata there.
            "127.0.0.0/8",
            "168.63.129.16/32",  # Azure's virtual public address of the host below.
            "169.254.0.0/16",  # The link; metadata of most clouds.
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",  # Relays of 6to4.
            "192.168.0.0/16",
            "198.18.0.0/15",  # Benchmarks.
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",  # Multicast.
            "240.0.0.0/4",  # Reserved, and broadcast.
            "2001::/23",  # Protocols: Teredo, ORCHID and others, with addresses in them.
            "2001:db8::/32",
            "2002::/16",  # 6to4: an IPv4 address is in it.
            "3fff::/20",
        ),
    )
)
_PUBLIC_6: Final = IPv6Network("2000::/3")


class Allowed:
    """What may be connected to.

    more: networks that may be, though they are not public
    """

    def __init__(self, more: Sequence[Network] = ()) -> None:
        self._more = tuple(more)

    def takes(self, address: str) -> bool:
        """Whether it may be connected to. `address`: as a resolver gives it; what is none is not taken."""
        try:
            found: Address = ip_address(address)
        except ValueError:
            return False
        if isinstance(found, IPv6Address):
            if found.scope_id is not None:
                return False
            # On the wire it is the IPv4 address.
            found = found.ipv4_mapped or found
        return any(found in network for network in self._more) or _is_public(found)


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _PUBLIC_6:
        return False
    # Python knows what was listed when it was made, which may be more.
    return address.is_global and not any(address in network for network in _SPECIAL)
