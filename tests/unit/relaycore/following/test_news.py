"""What followers are told when something is stored."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.capturing import notices
from relaycore.capturing.ticks import Tick, seal
from relaycore.following import news
from relaycore.following.news import MOST_NAMED, News
from tests.unit.relaycore.strategies import channels

KEY = b"key"
UPTO = "1732190000000-3"
some = st.sets(channels, min_size=1, max_size=5)


@given(some)
def test_what_the_writer_says_is_read(names: set[bytes]) -> None:
    said = news.stored(UPTO, names, KEY)

    assert news.parse(said, KEY) == News(UPTO, frozenset(name.decode() for name in names))


def test_where_a_bound_moved_something_may_be_new_in_any_channel() -> None:
    assert news.parse(news.moved(UPTO, KEY), KEY) == News(UPTO, None)


def test_more_channels_than_are_worth_naming_are_any() -> None:
    names = [b"channel %d" % number for number in range(MOST_NAMED + 1)]

    assert news.parse(news.stored(UPTO, names[:-1], KEY), KEY) != News(UPTO, None)
    assert news.parse(news.stored(UPTO, names, KEY), KEY) == News(UPTO, None)


def test_the_form_on_the_wire() -> None:
    body = b"stored 1732190000000-3 a b\nc"
    assert news.stored(UPTO, [b"a b", b"c"], KEY) == body + b" " + seal(body, KEY)
    body = b"moved 1732190000000-3"
    assert news.moved(UPTO, KEY) == body + b" " + seal(body, KEY)


@pytest.mark.parametrize("said", [news.stored(UPTO, [b"a"], KEY), news.moved(UPTO, KEY)])
def test_what_a_stranger_says_is_nothing(said: bytes) -> None:
    forged = said[:-1] + (b"0" if said[-1:] != b"0" else b"1")

    assert news.parse(forged, KEY) is None
    assert news.parse(said.replace(b"1732190000000", b"1732190000001"), KEY) is None
    assert news.parse(said, b"another key") is None
    assert news.parse(said[: -len(seal(b"", KEY)) - 1], KEY) is None


@pytest.mark.parametrize(
    "body",
    [b"", b"stored", b"stored 1-0", b"stored 1-0 ", b"stored x a", b"moved", b"moved 1", b"stored 1-0 \xff"],
)
def test_what_is_not_in_the_form_is_nothing(body: bytes) -> None:
    assert news.parse(body + b" " + seal(body, KEY), KEY) is None


def test_it_is_no_tick_and_no_notice_and_they_are_no_news() -> None:
    said = news.stored(UPTO, [b"a"], KEY)

    assert notices.parse(said, KEY) is None
    assert Tick.parse(said, KEY) is None
    assert news.parse(notices.look("a", KEY), KEY) is None
