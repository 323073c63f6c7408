"""What followers are told when something is stored."""

from collections.abc import Callable, Iterator

import pytest

from leases_app import deployment
from messages_app.writing.announcing import Announcer
from messages_app.writing.stream import Stream
from relaybase import keys
from relaycore.following import news
from relaycore.following.news import News
from relaycore.position import NEVER

from .world import Wait, World, running

pytestmark = pytest.mark.django_db(databases=["default", "messages"])


@pytest.fixture
def told(world: World) -> Iterator[Callable[[], list[News]]]:
    """What was published on the channel of news until now. All of it must be sealed."""
    heard: list[News] = []
    with world.redis.pubsub(ignore_subscribe_messages=True) as follower:
        follower.subscribe(deployment.news_channel(0))
        follower.get_message(timeout=1)

        def take() -> list[News]:
            while (message := follower.get_message()) is not None:
                found = news.parse(message["data"], deployment.seal_key(0))
                assert found is not None, message
                heard.append(found)
            return heard

        yield take


def test_whoever_follows_is_told_which_channels_got_something_new(
    world: World, wait_until: Wait, told: Callable[[], list[News]]
) -> None:
    with running():
        wait_until(told, what="a writer that begins says so: the watermark may have moved")
        assert told() == [News(NEVER)]
        first = world.append("one", "two", channel="orders")
        wait_until(lambda: len(told()) == 2)
        assert told()[1] == News(first, frozenset({"orders"}))
        second = world.append("three", channel="a b\u00fc")
        wait_until(lambda: len(told()) == 3)
        assert told()[2] == News(second, frozenset({"a b\u00fc"}))


def test_of_what_was_stored_before_nobody_is_told(
    world: World, wait_until: Wait, told: Callable[[], list[News]]
) -> None:
    with running():
        world.append("one")
        wait_until(lambda: len(told()) == 2)
        world.append("one")
        wait_until(world.is_settled)
        last = world.append("two")
        wait_until(lambda: told()[-1].upto == last)
    assert len(told()) == 3


def test_what_is_acknowledged_is_acknowledged_though_nobody_may_be_told(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    entry = world.append("one")
    world.deliver(1)
    # As for a user who may not publish there: a command in the script that fails.
    stream = Stream(world.redis, 0, Announcer("", b""))
    world.redis.execute_command("ACL", "SETUSER", "default", "-publish")
    try:
        for _ in range(2):
            assert stream.acknowledge([(entry, {b"orders": 1})]) in {0, 1}
            stream.say(1, entry)
    finally:
        world.redis.execute_command("ACL", "SETUSER", "default", "+publish")

    assert world.pending() == 0
    assert world.redis.hget(keys.appended(0), "stored_id").decode() == entry
    (line,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "followers are not told" in line.getMessage()
    assert "publish" in line.getMessage()
