"""Addresses that lead inside, however they are written: what no webhook may be sent to."""

from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from urllib.parse import quote

INSIDE: Final = (
    *("10.254.0.0", "192.168.10.65", "172.16.10.65", "0.1.2.3", "0.0.0.0", "127.0.0.1", "127.254.254.254"),
    *("169.254.45.1", "169.254.169.254", "255.255.255.255", "224.1.2.3", "233.252.0.16", "192.0.0.0"),
    *("192.0.0.255", "192.0.2.255", "198.51.100.65", "203.0.113.6", "100.100.0.0", "192.88.99.3"),
    *("198.18.0.0", "240.240.240.240", "::", "::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254"),
    *("::ffff:10.0.0.1", "::ffff:0.0.0.1", "2001:db8::1", "3fff::dead:beef", "fe80::dead:beef"),
    *("febf:ffff::dead:beef", "fdee:3A45:9057::1", "fd00:ec2::254", "2002:c000:0204::dead:beef"),
    *("2002:c0a8:1::dead:beef", "2002:a9fe:a9fe::", "64:ff9b::c0a8:0", "64:ff9b::a9fe:a9fe"),
    *("64:ff9b::7f00:1", "5f00::dead:beef", "64:ff9b:1::dead:beef", "100::1:2:3:4", "ff02::1", "fec0::1"),
    *("::127.0.0.1", "::7f00:1", "2001:0:53aa:64c::1", "168.63.129.16", "100.100.100.200"),
)
PUBLIC: Final = (
    *("8.8.8.8", "1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "2001:4860:4860::8888"),
    "::ffff:8.8.8.8",
)

_WIDE: Final = str.maketrans(
    {character: chr(ord(character) - 0x21 + 0xFF01) for character in "0123456789abcdef."}
)

FORMS: Final[tuple[Callable[[str], str], ...]] = (
    lambda host: f"http://{host}/",
    lambda host: f"https://{host}",
    lambda host: f"http://{host}:80/hook",
    lambda host: f"http://{host}:8080/hook?to=1",
    lambda host: f"http://user@{host}/",
    lambda host: f"https://hooks.example.org:443@{host}/",
    lambda host: f"http://{host}./",
    lambda host: f"http://[{host.strip('[]')}]/",
    lambda host: "http://" + "".join(f"%{ord(character):02x}" for character in host) + "/",
    lambda host: f"HTTP://{host.upper()}/",
    lambda host: f"http://{host.translate(_WIDE)}/",
    lambda host: f"http://{host.replace('.', '。')}/",
    lambda host: f"http://{host}#@hooks.example.org/",
    lambda host: f"http://hooks.example.org\\@{host}/",
    lambda host: f"http://[{host.strip('[]')}%25eth0]/",
    lambda host: f"http://{host}\t/",
    lambda host: f"http://\u00ad{host}/",
    lambda host: f"http:{host}/",
    lambda host: f"http:///{host}/",
    lambda host: f"http://{quote(host, safe='')}%00.example.org/",
)
"""From a host as it stands in a URL (IPv6 with brackets) to a URL that leads to it, or may be read so."""


def spellings(address: str) -> Iterator[str]:
    """The same address as various programs write it, as a host of a URL; at least four."""
    found = ip_address(address)
    if isinstance(found, IPv4Address):
        number, parts = int(found), found.packed
        yield address
        yield str(number)
        yield hex(number)
        yield ".".join(f"{part:#x}" for part in parts)
        yield ".".join(f"0{part:o}" for part in parts)
        yield f"{parts[0]}.{number & 0xFFFFFF}"
        yield f"[::ffff:{address}]"
        yield f"[{IPv6Address(0xFFFF << 32 | number).exploded}]"
    else:
        low = int(found) & 0xFFFFFFFF
        yield f"[{found.compressed}]"
        yield f"[{found.exploded}]"
        yield f"[{found.exploded.upper()}]"
        yield f"[{found.exploded[:30]}{IPv4Address(low)}]"
