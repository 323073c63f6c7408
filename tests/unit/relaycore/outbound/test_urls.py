"""A URL is read once, and what could be read in two ways is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.errors import BadUrl
from relaycore.outbound.addresses import Allowed
from relaycore.outbound.urls import OTHER_PROTOCOLS, is_address, read
from tests.unit.relaycore.outbound.hostile import FORMS, INSIDE, PUBLIC, spellings
from tests.unit.relaycore.outbound.test_addresses import numeric

NOBODY = Allowed()


@pytest.mark.parametrize("address", INSIDE)
def test_no_url_leads_inside(address: str) -> None:
    tried, through = 0, []
    for host in spellings(address):
        for form in FORMS:
            tried += 1
            if leads_to(form(host), address):
                through.append(form(host))
    assert tried >= 4 * 14
    assert through == []


def leads_to(url: str, address: str) -> bool:
    """Whether it is taken, and what was read of it is an address."""
    try:
        found = read(url)
        found.check(NOBODY)
    except BadUrl:
        return False
    # What was read is no address that is inside, and the system does not take it for one either.
    return is_address(found.host) or numeric(found.host) is not None


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_taken_as_it_is(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    for form in FORMS[:4]:
        url = read(form(host))
        url.check(NOBODY)
        assert numeric(url.host) == numeric(address)


@pytest.mark.parametrize(
    ("text", "scheme", "host", "port", "target", "authority"),
    [
        ("https://hooks.example.org", "https", "hooks.example.org", 443, "/", "hooks.example.org"),
        ("HTTPS://Hooks.Example.ORG:443/a", "https", "hooks.example.org", 443, "/a", "hooks.example.org"),
        ("http://h:8080/a/b?c=d&e", "http", "h", 8080, "/a/b?c=d&e", "h:8080"),
        ("http://h?c=http://x:1/@", "http", "h", 80, "/?c=http://x:1/@", "h"),
        ("http://my_service:443/", "http", "my_service", 443, "/", "my_service:443"),
        ("https://[2606:4700:0::1111]/", "https", "2606:4700::1111", 443, "/", "[2606:4700::1111]"),
        ("https://[2606:4700::1]:8443/%20", "https", "2606:4700::1", 8443, "/%20", "[2606:4700::1]:8443"),
        ("http://8.8.8.8/..//", "http", "8.8.8.8", 80, "/..//", "8.8.8.8"),
        ("https://bücher.example/", "https", "xn--bcher-kva.example", 443, "/", "xn--bcher-kva.example"),
        ("https://BÜCHER。example:/", "https", "xn--bcher-kva.example", 443, "/", "xn--bcher-kva.example"),
        ("https://例え.テスト", "https", "xn--r8jz45g.xn--zckzah", 443, "/", "xn--r8jz45g.xn--zckzah"),
    ],
)
def test_what_a_url_says(text: str, scheme: str, host: str, port: int, target: str, authority: str) -> None:
    url = read(text)
    assert (url.scheme, url.host, url.port, url.target) == (scheme, host, port, target)
    assert url.authority == authority
    assert url.is_tls == (scheme == "https")
    assert url.origin.startswith(f"{scheme}://")
    assert url.origin.endswith(f":{port}")
    assert read(str(url)) == url


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "begins with https://"),
        ("hooks.example.org", "begins with https://"),
        ("ftp://h/", "begins with https://"),
        ("file:///etc/passwd", "begins with https://"),
        ("gopher://h/", "begins with https://"),
        (" https://h/", "begins with https://"),
        ("https:/h/", "begins with https://"),
        ("https://", "is a name such as"),
        ("https:///path", "is a name such as"),
        ("https://:443/", "is a name such as"),
        ("https://user:s3cret@h/", "no user and no password"),
        ("https://@h/", "no user and no password"),
        ("https://h/#part", "no fragment"),
        ("https://h\\.example.org/", "no backslash"),
        ("https://h/a b", "visible ASCII"),
        ("https://h/\n", "visible ASCII"),
        ("https://h/\r\nHost: x", "visible ASCII"),
        ("https://h/\x00", "visible ASCII"),
        ("https://h/é", "visible ASCII"),
        ("https://h:0/", "from 1 to 65535"),
        ("https://h:65536/", "from 1 to 65535"),
        ("https://h:1234567/", "from 1 to 65535"),
        ("https://h:+1/", "from 1 to 65535"),
        ("https://h:８０/", "from 1 to 65535"),
        ("https://2606:4700::1/", "from 1 to 65535"),
        ("https://h:25/", "another protocol"),
        ("https://h:6697/", "another protocol"),
        ("https://h./", "single dots"),
        ("https://.h/", "single dots"),
        ("https://a..b/", "single dots"),
        ("https://a b/", "single dots"),
        ("https://a\tb/", "single dots"),
        ("https://-a/", "single dots"),
        ("https://%6c/", "percent-encoded"),
        ("https://" + "a" * 64 + "/", "single dots"),
        ("https://" + "a." * 127 + "b/", "253"),
        ("https://2130706433/", "four decimal numbers"),
        ("https://0x7f.1/", "four decimal numbers"),
        ("https://127.1/", "four decimal numbers"),
        ("https://0177.0.0.1/", "four decimal numbers"),
        ("https://1.2.3.256/", "four decimal numbers"),
        ("https://example.1/", "four decimal numbers"),
        ("https://[::1/", "IPv6"),
        ("https://[]/", "IPv6 address"),
        ("https://[8.8.8.8]/", "IPv6 address"),
        ("https://[v1.a]/", "IPv6 address"),
        ("https://[fe80::1%25eth0]/", "IPv6 address"),
        ("https://[fe80::1%eth0]/", "no zone"),
        ("https://straße.example/", "xn--"),
        ("https://a\u200db.example/", "xn--"),
        ("https://\ud800.example/", "xn--"),
        ("https://" + "ü" * 80 + ".example/", "xn--"),
        ("https://h/" + "a" * 2048, "at most 2048"),
    ],
)
def test_what_cannot_be_used_is_refused_with_what_to_do(text: str, says: str) -> None:
    with pytest.raises(BadUrl, match=says) as caught:
        read(text)
    assert "s3cret" not in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "a.localhost", "[::1]", "169.254.169.254"])
def test_an_address_that_is_not_public_is_refused_before_anything_is_sent(host: str) -> None:
    with pytest.raises(BadUrl, match="RELAY_WEBHOOK_ALLOWED_NETWORKS"):
        read(f"http://{host}/").check(NOBODY)


def test_ports_of_http_are_none_of_another_protocol() -> None:
    assert not OTHER_PROTOCOLS & {80, 443, 3000, 5000, 8000, 8080, 8443, 9000}


@given(
    st.text(max_size=60), st.sampled_from(["", "http://", "https://", "https://h/", "https://[", "http://h:"])
)
def test_whatever_is_taken_is_its_own_normal_form(text: str, beginning: str) -> None:
    try:
        url = read(beginning + text)
    except BadUrl:
        return
    assert read(str(url)) == url
    assert str(url).isascii()
    assert str(url).isprintable()
    assert not set(str(url)) & set(" #\\")
    assert url.host == url.host.lower()
