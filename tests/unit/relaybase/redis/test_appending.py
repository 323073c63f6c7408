"""How what is published is cut into steps."""

from hypothesis import given
from hypothesis import strategies as st

from relaybase.redis.appending import ECHO_BYTES, Echo, cut

echoes = st.lists(
    st.tuples(st.binary(min_size=1, max_size=20), st.lists(st.binary(max_size=300), max_size=20)), max_size=5
)


def pushed(part: list[Echo]) -> int:
    """What one subscriber is written at least."""
    return sum(len(payload) + len(channel) for channel, payloads in part for payload in payloads)


@given(echoes, st.integers(1, 1000))
def test_all_of_it_is_there_in_order_and_no_part_is_too_large(whole: list[Echo], most: int) -> None:
    parts = cut(whole, most)
    assert [(channel, payload) for part in parts for channel, payloads in part for payload in payloads] == [
        (channel, payload) for channel, payloads in whole for payload in payloads
    ]
    for part in parts:
        assert pushed(part) <= most or sum(len(payloads) for _, payloads in part) == 1
        assert all(payloads for _, payloads in part)


def test_what_is_small_is_one_part_and_nothing_is_none() -> None:
    assert cut([(b"orders", [b"1", b"2"]), (b"bills", [b"3"])]) == [
        [(b"orders", [b"1", b"2"]), (b"bills", [b"3"])]
    ]
    assert cut([]) == cut([(b"orders", [])]) == []


def test_many_empty_messages_are_not_small() -> None:
    """Each of them costs Redis something for each subscriber."""
    assert len(cut([(b"orders", [b""] * (ECHO_BYTES // 32))])) > 1


def test_a_large_one_stands_alone_and_no_part_is_needlessly_small() -> None:
    large, small = b"x" * (1 << 20), b"x" * (100 << 10)
    assert cut([(b"a", [small, small, large, small, small])]) == [
        [(b"a", [small, small])],
        [(b"a", [large])],
        [(b"a", [small, small])],
    ]
