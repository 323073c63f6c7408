"""From which address a request came, and that nobody can claim another one."""

from ipaddress import ip_network

import pytest

from relaybase.http.forwarded import client_address

TRUSTED = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.7", "", "203.0.113.7"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.7", "203.0.113.7"),
        # Not by a proxy: whatever it says.
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
        ("203.0.113.7", "10.0.0.2", "203.0.113.7"),
        # The client has written something itself, the proxy has added the client.
        ("10.0.0.1", "198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "10.0.0.9, 203.0.113.7", "203.0.113.7"),
        ("10.0.0.1", "198.51.100.1,203.0.113.7,10.0.0.2", "203.0.113.7"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        # What is no address.
        ("10.0.0.1", "203.0.113.7, unknown", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.7, , 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", ",", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.300", "10.0.0.1"),
        ("", "203.0.113.7", ""),
        ("testclient", "203.0.113.7", "testclient"),
        # With ports, of version 6, and the one in the other.
        ("10.0.0.1", "203.0.113.7:4711", "203.0.113.7"),
        ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("fd00::1", "2001:DB8:0::1", "2001:db8::1"),
        ("::ffff:10.0.0.1", "::ffff:203.0.113.7", "203.0.113.7"),
    ],
)
def test_the_client_is_the_first_from_the_right_who_is_no_proxy(
    peer: str, forwarded: str, client: str
) -> None:
    assert client_address(peer, forwarded, TRUSTED) == client


def test_without_trusted_proxies_nobody_is_believed() -> None:
    assert client_address("10.0.0.1", "203.0.113.7", []) == "10.0.0.1"
