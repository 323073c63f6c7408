"""Where an endpoint is: its URL, read once and strictly.

Two who read one URL differently are how a guard is passed: one checks a host, another connects to a second
one. So what could be read in two ways is refused here, with a sentence that says what to write instead; what
is connected to is what was read here, and nothing reads the text again.

Refused: schemes other than `http` and `https`; a user or a password; a fragment; whatever is not visible
ASCII, but for letters of a host name; backslashes; numbers that some take for an IPv4 address (`2130706433`,
`0x7f.1`, `127.1`, `0177.0.0.1`); zones of IPv6; a dot at the end; ports that are those of other protocols.
Names are not resolved here: a name may lead elsewhere by the time it is used (`addresses`).
"""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

from relaycore.errors import BadUrl
from relaycore.outbound.addresses import Allowed

MOST_CHARACTERS: Final = 2048

OTHER_PROTOCOLS: Final = frozenset(
    (
        *(1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103),
        *(104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513),
        *(514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719),
        *(1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679),
        *(6697, 10080),
    )
)
"""Ports that no browser sends HTTP to either: the "bad ports" of the Fetch standard."""

_PORTS: Final = {"http": 80, "https": 443}
_PARTS: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?]*)(?P<target>.*)", re.S)
_HOST_AND_PORT: Final = re.compile(r"(?P<host>\[[^\]]*\]|[^:]*)(?::(?P<port>[0-9]{0,6}))?", re.S)
_VISIBLE: Final = re.compile(r"[!-~]*")
_NAME: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
_NUMBER_AT_END: Final = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
_MOST_NAME: Final = 253
_DEVIATING: Final = frozenset("ßẞς\u200c\u200d")
"""What the older and the newer rules for international names make different names of (UTS 46)."""


@dataclass(frozen=True, slots=True)
class Url:
    """Where an endpoint is.

    scheme: `http` or `https`
    host:   a name in ASCII and small letters, or an address: IPv6 without brackets
    port:   from 1 to 65535
    target: path and query, as they are sent; it begins with a slash
    """

    scheme: str
    host: str
    port: int
    target: str

    @property
    def is_tls(self) -> bool:
        """Whether what is sent is encrypted."""
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """Host and port as the header `Host` has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Without path and query, and always with the port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"

    def check(self, allowed: Allowed) -> None:
        """Refuse an address that cannot be connected to, before anything is sent.

        Raises:
            BadUrl: the host is such an address, or `localhost`. A name may still turn out to lead to one.
        """
        is_own = self.host == "localhost" or self.host.endswith(".localhost")  # RFC 6761
        address = "127.0.0.1" if is_own else self.host
        if (is_own or is_address(self.host)) and not allowed.takes(address):
            raise BadUrl(
                f"{self.host} is no public address. Use one that is, or have the operator add its network to "
                "RELAY_WEBHOOK_ALLOWED_NETWORKS."
            )


def is_address(host: str) -> bool:
    """Whether a host as `Url` has it is an address rather than a name."""
    return ":" in host or _NUMBER_AT_END.fullmatch(host) is not None


def read(url: str) -> Url:
    """What a URL says.

    Raises:
        BadUrl: it cannot be used, or might be read in two ways. The text says what to do.
    """
    if len(url) > MOST_CHARACTERS:
        raise BadUrl(f"A URL has at most {MOST_CHARACTERS} characters.")
    if "#" in url or "\\" in url:
        raise BadUrl("A URL has no fragment (#) and no backslash: take them out, or write %23 and %5C.")
    parts = _PARTS.fullmatch(url)
    scheme = parts["scheme"].lower() if parts else ""
    if parts is None or scheme not in _PORTS:
        raise BadUrl("A URL begins with https:// or http://, and a host.")
    if "@" in parts["authority"]:
        raise BadUrl("A URL has no user and no password: use a header, such as Authorization.")
    place = _HOST_AND_PORT.fullmatch(parts["authority"])
    if place is None:
        raise BadUrl(
            "The port of a URL is a number from 1 to 65535 behind the host, and an IPv6 host has brackets."
        )
    return Url(
        scheme, _read_host(place["host"]), _read_port(place["port"], scheme), _read_target(parts["target"])
    )


def _read_port(text: str | None, scheme: str) -> int:
    port = int(text) if text else _PORTS[scheme]
    if not 1 <= port <= 65_535:
        raise BadUrl("The port of a URL is a number from 1 to 65535.")
    if port in OTHER_PROTOCOLS:
        raise BadUrl(f"Port {port} is that of another protocol than HTTP. Use another one.")
    return port


def _read_target(text: str) -> str:
    if not _VISIBLE.fullmatch(text):
        raise BadUrl("Path and query of a URL are visible ASCII: write a space as %20, and é as %C3%A9.")
    return text if text.startswith("/") else f"/{text}"


def _read_host(text: str) -> str:
    if text.startswith("["):
        try:
            address = IPv6Address(text[1:-1])
        except AddressValueError:
            raise BadUrl("What stands in the brackets of a URL is an IPv6 address.") from None
        if address.scope_id is not None:
            raise BadUrl("An IPv6 address in a URL has no zone (%).")
        return str(address)
    host = _as_ascii(text).lower()
    if len(host) > _MOST_NAME or not _NAME.fullmatch(host):
        raise BadUrl(
            "The host of a URL is a name such as hooks.example.org: letters, digits, hyphens, single dots "
            f"between; at most {_MOST_NAME} characters, none of them percent-encoded."
        )
    if is_address(host):
        try:
            return str(IPv4Address(host))
        except AddressValueError:
            raise BadUrl("An IPv4 address in a URL is four decimal numbers, such as 192.0.2.1.") from None
    return host


def _as_ascii(host: str) -> str:
    """An international name as it is looked up."""
    if host.isascii():
        return host
    if _DEVIATING & set(host):
        raise BadUrl("This host name means different hosts to different programs. Write it with xn--.")
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        raise BadUrl("This host name is none. Write it in ASCII, with xn-- if need be.") from None
