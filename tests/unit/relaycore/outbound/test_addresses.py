"""Only what is public may be connected to, and what the operator adds."""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.outbound.addresses import Allowed
from tests.unit.relaycore.outbound.hostile import INSIDE, PUBLIC, spellings

NOBODY = Allowed()


@pytest.mark.parametrize("address", INSIDE)
def test_what_leads_inside_is_refused_however_it_is_written(address: str) -> None:
    assert len(INSIDE) == 49
    assert not NOBODY.takes(address)
    read = [numeric(host.strip("[]")) for host in spellings(address)]
    assert len([found for found in read if found]) >= 4
    assert not [found for found in read if found and NOBODY.takes(found)]


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_is_taken(address: str) -> None:
    assert NOBODY.takes(address)


def test_what_python_calls_private_is_not_enough() -> None:
    """The control: by that alone some of them would be asked."""
    let_through = [address for address in INSIDE if not ip_address(address).is_private]
    assert "168.63.129.16" in let_through
    assert len(let_through) > 10


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost",
        "127.1",
        "0x7f.0.0.1",
        "8.8.8.8:80",
        "[::1]",
        "8.8.8.8 ",
        "fe80::1%eth0",
        "2606:4700::1%1",
    ],
)
def test_what_is_no_plain_address_is_refused(text: str) -> None:
    assert not NOBODY.takes(text)


def test_what_the_operator_adds_is_taken_and_nothing_beside_it() -> None:
    allowed = Allowed([ip_network("10.1.0.0/16"), ip_network("fd00:1::/32"), ip_network("127.0.0.1")])
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "fd00:1::5", "127.0.0.1", "8.8.8.8"):
        assert allowed.takes(address)
    for address in ("10.2.0.1", "fd00:2::5", "127.0.0.2", "::1", "fd00:1::5%eth0", "::10.1.2.3"):
        assert not allowed.takes(address)


@given(st.integers(0, 2**128 - 1))
def test_of_ipv6_only_what_is_given_out_is_taken(number: int) -> None:
    address = IPv6Address(number)
    if NOBODY.takes(str(address)) and not address.ipv4_mapped:
        assert number >> 125 == 1
        assert address.is_global


@given(st.integers(0, 2**32 - 1))
def test_an_address_is_judged_alike_in_both_versions(number: int) -> None:
    plain, mapped = IPv4Address(number), IPv6Address(0xFFFF << 32 | number)
    assert NOBODY.takes(str(plain)) == NOBODY.takes(str(mapped))
    assert not NOBODY.takes(str(plain)) or plain.is_global


def numeric(host: str) -> str | None:
    """What the system takes it for, without asking anybody; None: for a name."""
    try:
        [(*_, place), *_] = socket.getaddrinfo(host, 80, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except OSError:
        return None
    return str(place[0])
