"""How what is published is cut into steps."""

from hypothesis import given
from hypothesis import strategies as st

from relaybase.redis.appending import ECHO_BYTES, cut
from relaycore.publishing.queue import Echo

echoes = st.lists(
    st.builds(Echo, st.binary(min_size=1, max_size=20), st.lists(st.binary(max_size=300), max_size=20)),
    max_size=5,
)


def pushed(part: list[Echo]) -> int:
    """What one subscriber is written at least."""
    return sum(len(payload) + len(echo.channel) for echo in part for payload in echo.payloads)


@given(echoes, st.integers(1, 1000))
def test_all_of_it_is_there_in_order_and_no_part_is_too_large(whole: list[Echo], most: int) -> None:
    parts = cut(whole, most)
    assert [(echo.channel, payload) for part in parts for echo in part for payload in echo.payloads] == [
        (echo.channel, payload) for echo in whole for payload in echo.payloads
    ]
    for part in parts:
        assert pushed(part) <= most or sum(len(echo.payloads) for echo in part) == 1
        assert all(echo.payloads for echo in part)


def test_what_is_small_is_one_part_and_nothing_is_none() -> None:
    assert cut([Echo(b"orders", [b"1", b"2"]), Echo(b"bills", [b"3"])]) == [
        [Echo(b"orders", [b"1", b"2"]), Echo(b"bills", [b"3"])]
    ]
    assert cut([]) == cut([Echo(b"orders", [])]) == []


def test_many_empty_messages_are_not_small() -> None:
    """Each of them costs Redis something for each subscriber."""
    assert len(cut([Echo(b"orders", [b""] * (ECHO_BYTES // 32))])) > 1


def test_a_large_one_stands_alone_and_no_part_is_needlessly_small() -> None:
    large, small = b"x" * (1 << 20), b"x" * (100 << 10)
    assert cut([Echo(b"a", [small, small, large, small, small])]) == [
        [Echo(b"a", [small, small])],
        [Echo(b"a", [large])],
        [Echo(b"a", [small, small])],
    ]
