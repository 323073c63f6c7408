"""Time is let pass on a stream where nothing comes."""

import time
from typing import Any

import pytest

from messages_app.searching import passing
from relaybase import keys
from relaycore.errors import UnfitServer
from relaycore.layout import Layout
from relaycore.position import NEVER

LAYOUT = Layout(1, 1)
FAR = "9999999999999-0"


@pytest.fixture
def stream(relay_keys: Any) -> Any:
    relay_keys.set(keys.layout(0), str(LAYOUT))
    relay_keys.xadd(keys.stream(0), {"a": "b"}, id="1000-5")
    return relay_keys


def now() -> int:
    return time.time_ns() // 1_000_000


def ids(redis: Any) -> tuple[str, int]:
    found = redis.xinfo_stream(keys.stream(0))
    return found["last-generated-id"].decode(), found["length"]


def test_the_last_id_is_raised_to_now_once_something_is_due(stream: Any) -> None:
    before = now()
    passed = passing.let_pass(0, LAYOUT, before - 10, FAR)

    assert before <= passed.now <= now()
    assert passed.last_id == f"{passed.now}-0"
    assert ids(stream) == (passed.last_id, 1)
    stream.xadd(keys.stream(0), {"a": "b"})
    again = passing.let_pass(0, LAYOUT, before - 10, FAR)
    assert again.last_id == ids(stream)[0], "nothing is raised that is above already"


@pytest.mark.parametrize("mark", [NEVER, "1500-0"])
def test_it_is_raised_no_further_than_the_writer_has_reserved(stream: Any, mark: str) -> None:
    assert passing.let_pass(0, LAYOUT, 2000, mark).last_id == "1000-5"
    assert passing.let_pass(0, LAYOUT, 1400, "1500-0").last_id == "1500-0"


def test_a_time_that_has_not_come_is_not_made_to_come(stream: Any) -> None:
    assert passing.let_pass(0, LAYOUT, now() + 60_000, FAR).last_id == "1000-5"


def test_nor_is_it_where_ids_are_ahead_of_the_clock(stream: Any) -> None:
    """As they are once the clock was set back."""
    ahead = f"{now() + 3_600_000}-0"
    stream.xadd(keys.stream(0), {"a": "b"}, id=ahead)
    assert passing.let_pass(0, LAYOUT, now() - 10, FAR).last_id == ahead


def test_a_full_redis_lets_time_pass(stream: Any) -> None:
    stream.config_set("maxmemory", 1)
    try:
        passed = passing.let_pass(0, LAYOUT, now() - 10, FAR)
    finally:
        stream.config_set("maxmemory", 0)
    assert passed.last_id == f"{passed.now}-0"


def test_where_no_stream_is_none_is_made(relay_keys: Any) -> None:
    assert passing.let_pass(0, LAYOUT, now() - 10, FAR).last_id == NEVER
    assert not relay_keys.exists(keys.stream(0))


def test_another_layout_is_refused(stream: Any) -> None:
    with pytest.raises(UnfitServer):
        passing.let_pass(0, Layout(2, 2), now() - 10, FAR)
    assert ids(stream)[0] == "1000-5"
