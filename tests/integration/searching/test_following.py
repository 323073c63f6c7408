"""The reader of a process that learns what is newly stored, on real servers."""

import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from pymongo.errors import PyMongoError

from leases_app import deployment
from messages_app.searching import following
from messages_app.searching.feed import Feed
from messages_app.searching.following import Follower
from relaybase import keys
from relaybase.connections import shared_redis
from relaycore.errors import Disconnected, UnfitServer
from relaycore.following.places import Page
from relaycore.position import START, first_of
from tests.integration.conftest import profiled
from tests.integration.writing.world import Failpoint, World, object_id, running
from tests.proxy import Proxy

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])

Wait = Callable[..., None]
CONNECTION = b"relay-follower"


@pytest.fixture
def world(relay_keys: Any, archive: Any) -> World:
    return World(relay_keys, archive, None)


@pytest.fixture
def follower(world: World) -> Iterator[Follower]:
    with Follower() as follower:
        yield follower
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("follow partition")]


@pytest.fixture
def redis_proxy(settings: Any, world: World) -> Iterator[Proxy]:
    """The way to Redis of everything that asks for a client from now on."""
    with Proxy.to(settings.SERVERS.redis_url) as proxy:
        settings.SERVERS = replace(settings.SERVERS, redis_url=proxy.url)
        shared_redis.cache_clear()
        yield proxy
        shared_redis.cache_clear()


@pytest.fixture
def writing(world: World) -> Iterator[None]:
    with running():
        yield


def take(feed: Feed, count: int, seconds: float = 10.0) -> list[Any]:
    """The next so many messages."""
    found: list[Any] = []
    deadline = time.monotonic() + seconds
    while len(found) < count:
        assert time.monotonic() < deadline, found
        page = feed.take(0.1)
        found += [document["message"] for document in page.messages] if page else []
    return found


def take_the_tail(*feeds: Feed) -> list[Page]:
    """Until there is nothing more, and they know it."""
    pages: list[Page] = []
    for feed in feeds:
        while not (pages and pages[-1].is_at_tail):
            page = feed.take(10)
            assert page is not None
            pages.append(page)
        pages.append(Page([], is_at_tail=False, is_sure=False))
    return pages


def take_error(feed: Feed, seconds: float = 15.0) -> Exception:
    """What it raises next."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            page = feed.take(0.1)
        except Exception as exc:
            return exc
        assert page is None or not page.messages
    raise AssertionError("it does not fail")


def store_by_hand(world: World, *texts: str, entry: str) -> None:
    """Into MongoDB alone, as a writer leaves it that dies before it acknowledges."""
    world.messages.insert_many(
        {
            "_id": object_id(text),
            "channel": "orders",
            "message": text,
            "position": first_of(entry)[:-1] + str(n),
        }
        for n, text in enumerate(texts)
    )


@pytest.mark.usefixtures("writing")
def test_messages_arrive_as_they_are_stored_and_not_a_second_later(world: World, follower: Follower) -> None:
    world.append("before")
    with follower.follow("orders", START) as feed:
        assert take(feed, 1) == ["before"]
        waited = []
        for number in range(15):
            time.sleep(0.05)
            began = time.monotonic()
            world.append(f"message {number}")
            assert take(feed, 1) == [f"message {number}"]
            waited.append(time.monotonic() - began)
    assert statistics.median(waited) < 0.3


@pytest.mark.usefixtures("writing")
def test_each_message_is_read_once_for_all_who_are_at_the_tail(
    world: World, follower: Follower, archive: Any, wait_until: Wait
) -> None:
    channels = ["orders", "orders", "bills"]
    feeds = [follower.follow(channel, START) for channel in channels]
    take_the_tail(*feeds)
    with profiled(archive) as asked:
        world.append("one")
        world.append("two", channel="bills")
        assert [take(feed, 1) for feed in feeds] == [["one"], ["one"], ["two"]]
    found = [question for question in asked if question["op"] == "query" and question["nreturned"]]
    assert sum(question["nreturned"] for question in found) == 2
    for question in found:
        assert question["docsExamined"] == question["nreturned"]
        assert "hasSortStage" not in question


@pytest.mark.usefixtures("writing")
def test_who_is_behind_reads_pages_and_shares_them_with_those_at_the_same_place(
    world: World, follower: Follower, archive: Any, wait_until: Wait
) -> None:
    texts = [f"message {number:04d}" for number in range(1200)]
    world.append(*texts)
    wait_until(world.is_settled)
    with profiled(archive) as asked:
        feeds = [follower.follow("orders", START) for _ in range(4)]
        threads = Taking(feeds, len(texts))
        threads.join()
    assert threads.found == [texts] * 4
    largest = max(question["nreturned"] for question in asked if question["op"] == "query")
    assert largest == 501, "a page of 500, and one that shows that there are more"


class Taking:
    """Takes from several feeds at once."""

    def __init__(self, feeds: Sequence[Feed], count: int) -> None:
        self.found: list[list[Any]] = [[] for _ in feeds]
        self._threads = [
            threading.Thread(target=self._take, args=[number, feed, count])
            for number, feed in enumerate(feeds)
        ]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(20)

    def _take(self, number: int, feed: Feed, count: int) -> None:
        self.found[number] = take(feed, count)


def test_a_hole_is_not_stepped_over(world: World, follower: Follower) -> None:
    first, second = world.append("first"), world.append("second")
    world.deliver(2)
    store_by_hand(world, "second", entry=second)  # Two inserts are in flight: the later one is through.
    with follower.follow("orders", START) as feed:
        take_the_tail(feed)
        world.redis.xack(world.stream, keys.GROUP, second)
        assert feed.take(1.5) is None
        store_by_hand(world, "first", entry=first)
        world.redis.xack(world.stream, keys.GROUP, first)
        assert take(feed, 2) == ["first", "second"]


def test_what_has_vanished_makes_pages_unsure_until_it_is_on_record(world: World, follower: Follower) -> None:
    entry = world.append("one")
    world.deliver(1)
    store_by_hand(world, "one", entry=entry)
    world.redis.hset(keys.appended(0), mapping={"upto": 3, "stored": 1, "stored_id": entry})
    world.redis.xack(world.stream, keys.GROUP, entry)
    with follower.follow("orders", START) as feed:
        (page,) = take_the_tail(feed)[:1]
        assert [document["message"] for document in page.messages] == ["one"]
        assert (page.is_at_tail, page.is_sure) == (True, False)
        world.redis.hset(keys.appended(0), "stored", 3)
        assert feed.take(5) == Page([], is_at_tail=True, is_sure=True)


@pytest.mark.usefixtures("writing")
def test_every_channel_of_a_partition_also_those_that_are_new(
    world: World, follower: Follower, archive: Any
) -> None:
    world.append("one", "and another one")
    with profiled(archive) as asked, follower.follow_all(0, START) as feed:
        assert take(feed, 2) == ["one", "and another one"]
        world.append("two", channel="new/1")
        world.append("three", channel="new/2")
        assert take(feed, 2) == ["two", "three"]
    for question in asked:
        if question["op"] in {"query", "command"}:  # Which channels there are, the index knows.
            assert question["docsExamined"] == question.get("nreturned", 0)


@pytest.mark.usefixtures("writing")
def test_without_redis_nothing_is_handed_out_and_nothing_is_lost(
    world: World, redis_proxy: Proxy, follower: Follower, wait_until: Wait
) -> None:
    with follower.follow("orders", START) as feed:
        take_the_tail(feed)
        with redis_proxy.refusing():
            redis_proxy.reset_all()
            world.append("meanwhile")
            for _ in range(2):  # The connection ends; nobody answers.
                error = take_error(feed)
                assert isinstance(error, Disconnected)
                assert "up to where everything is stored" in str(error)
            wait_until(world.is_settled)
        assert take_through_errors(feed, 1) == ["meanwhile"]


def take_through_errors(feed: Feed, count: int) -> list[Any]:
    """The same for one that may still have something to complain of."""
    found: list[Any] = []
    deadline = time.monotonic() + 15
    while len(found) < count and time.monotonic() < deadline:
        try:
            page = feed.take(0.1)
        except (Disconnected, PyMongoError):
            continue
        found += [document["message"] for document in page.messages] if page else []
    return found


@pytest.mark.usefixtures("writing")
def test_without_mongodb_nothing_is_handed_out_and_nothing_is_lost(world: World, follower: Follower) -> None:
    with follower.follow("orders", START) as feed:
        take_the_tail(feed)
        with Failpoint(failCommands=["find"], errorCode=50):
            error = take_error(feed)
        assert isinstance(error, PyMongoError)
        world.append("after")
        assert take_through_errors(feed, 1) == ["after"]


def test_where_everything_is_divided_otherwise_nothing_is_read(world: World, follower: Follower) -> None:
    with follower.follow("orders", START) as feed:
        take_the_tail(feed)
        world.redis.set(keys.layout(0), "2 2")
        assert isinstance(take_error(feed), UnfitServer)
        with pytest.raises(UnfitServer):
            follower.follow("orders", START)
        world.redis.delete(keys.layout(0))


def test_nobody_begins_to_follow_without_redis(redis_away: None) -> None:
    with Follower() as follower, pytest.raises(Disconnected):
        follower.follow("orders", START)


@pytest.mark.usefixtures("writing")
def test_a_connection_that_ended_is_made_again(
    world: World, redis_proxy: Proxy, follower: Follower, wait_until: Wait
) -> None:
    with follower.follow("orders", START) as feed:
        take_the_tail(feed)
        wait_until(lambda: redis_proxy.open_links(CONNECTION) == 1)
        for number in range(3):
            assert redis_proxy.reset_all(CONNECTION) == 1
            world.append(f"message {number}")
            assert take(feed, 1) == [f"message {number}"]
            wait_until(lambda: redis_proxy.open_links(CONNECTION) == 1, what="it hears again")


def test_a_connection_that_is_dead_is_noticed(
    world: World, redis_proxy: Proxy, follower: Follower, monkeypatch: pytest.MonkeyPatch, wait_until: Wait
) -> None:
    monkeypatch.setattr("messages_app.searching.ear._SILENT_SECONDS", 0.3)
    with follower.follow("orders", START) as feed:
        take_the_tail(feed)
        with redis_proxy.hole(CONNECTION, existing_only=True):
            wait_until(lambda: redis_proxy.open_links(CONNECTION) == 2, what="another one")


def test_what_strangers_publish_makes_nobody_look(world: World, follower: Follower) -> None:
    def evaluated() -> int:
        return int(world.redis.info("commandstats")["cmdstat_eval"]["calls"])

    with follower.follow("orders", START) as feed:
        take_the_tail(feed)
        channel = deployment.news_channel(0)
        before = evaluated()
        for _ in range(200):
            assert world.redis.publish(channel, f"stored {int(time.time() * 1000)}-0 orders " + "0" * 40) == 1
        assert evaluated() - before <= 3


def test_whoever_may_not_hear_news_looks_once_a_second(
    world: World,
    follower: Follower,
    wait_until: Wait,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(following, "_DEAF_SECONDS", 0.5)
    world.redis.execute_command("ACL", "SETUSER", "default", "-subscribe")
    try:
        with follower.follow("orders", START) as feed, running():
            take_the_tail(feed)
            world.append("one")
            assert take(feed, 1) == ["one"]
            wait_until(lambda: "seen a second late" in follower.trouble(time.monotonic()))
        assert follower.trouble(time.monotonic()) == "", "nobody follows any more"
    finally:
        world.redis.execute_command("ACL", "SETUSER", "default", "+subscribe")
    assert caplog.text.count("New messages are seen a second late") == 1


def test_a_reader_ends_with_its_last_subscriber_and_the_next_one_begins_anew(
    world: World, follower: Follower, wait_until: Wait
) -> None:
    def threads() -> int:
        return sum(thread.name == "follow partition 0" for thread in threading.enumerate())

    for _ in range(2):
        with follower.follow("orders", START) as first, follower.follow("bills", START) as second:
            take_the_tail(first)
            take_the_tail(second)
            assert threads() == 1
        wait_until(lambda: threads() == 0, what="ended")
