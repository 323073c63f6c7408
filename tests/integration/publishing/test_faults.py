"""What is answered 202 stands on the stream, whatever happens to Redis; what is not is answered soon."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from relaybase import keys
from relaycore import envelope
from relaystack.servers.valkey import Valkey
from tests.chaos.servers import OwnServer
from tests.failover import Failover
from tests.integration.publishing.conftest import Answer, Publisher
from tests.proxy import Proxy

pytestmark = pytest.mark.django_db(transaction=True)

Make = Callable[..., str]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnServer]:
    """A Redis that may be killed."""
    server = OwnServer(Valkey, Path(tmp_path_factory.mktemp("own")) / "redis")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def proxy(own: OwnServer) -> Iterator[Proxy]:
    """The way to it."""
    with Proxy.to(own.url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def web(serve: Callable[..., str], proxy: Proxy) -> str:
    """A web process that publishes there, with as little room as may be."""
    return serve(
        REDIS_URL=proxy.url, RELAY_WEB_REQUESTS_PER_MINUTE="0", RELAY_PUBLISH_MEMORY_BYTES=str(1 << 20)
    )


@pytest.fixture
def publisher(web: str, token: str, own: OwnServer) -> Publisher:
    """Who may publish; nothing stands on the stream yet."""
    own.redis().delete(keys.stream(0))
    return Publisher(web, token)


def standing(own: OwnServer) -> list[str]:
    """The ids of what stands on the stream."""
    entries: Any = own.redis().xrange(keys.stream(0))
    return [envelope.key_of(document).hex() for _, fields in entries for document in envelope.split(fields)]


def ids_of(answers: list[Answer]) -> set[str]:
    return {answer.data["ids"][0] for answer in answers if answer.status == 202}


def looks(client: Any) -> int:
    """How often web has looked: nobody else asks this Redis who listens. Then it asks for the memory."""
    return int(client.info("commandstats").get("cmdstat_pubsub|numsub", {"calls": 0})["calls"])


def publish_until(publisher: Publisher, channel: str, stop: threading.Event) -> list[Answer]:
    answers = []
    while not stop.is_set():
        answers.append(publisher.post(channel, b"a"))
    return answers


def test_redis_is_killed_and_comes_back_with_its_append_only_file(
    publisher: Publisher, make_channel: Make, own: OwnServer
) -> None:
    channel, stop = make_channel(), threading.Event()
    with ThreadPoolExecutor(8) as pool:
        publishing = [pool.submit(publish_until, publisher, channel, stop) for _ in range(8)]
        try:
            time.sleep(1)
            own.kill()
            time.sleep(0.5)
            own.restart()
            time.sleep(1)
        finally:
            stop.set()
        answers = [answer for one in publishing for answer in one.result()]

    statuses = [answer.status for answer in answers]
    assert set(statuses) == {202, 503}
    assert ids_of(answers) <= set(standing(own))
    assert statuses.count(202) > 50
    assert publisher.post(channel, b"after").status == 202


def test_an_answer_of_redis_that_is_lost_doubles_nothing(
    publisher: Publisher, make_channel: Make, own: OwnServer, proxy: Proxy
) -> None:
    channel = make_channel()
    publisher.post(channel, b"first")
    with proxy.cutting(20, rb"\A\*3\r\n\*1\r\n\$\d+\r\n\d{13}-", every=2) as cut:
        answers = []
        while cut.done < 20 and len(answers) < 2000:
            answers.append(publisher.post(channel, b"a"))

    assert {answer.status for answer in answers} == {202}
    ids = [answer.data["ids"][0] for answer in answers]
    assert len(set(ids)) == len(ids)
    found = [id for id in standing(own) if id in set(ids)]
    assert set(found) == set(ids)
    # They stand twice, and are stored once: that is what the same id is for.
    assert len(found) == len(ids) + 20


def test_without_redis_the_answer_is_503_soon(
    publisher: Publisher, make_channel: Make, own: OwnServer, wait_until: Any
) -> None:
    channel = make_channel()
    assert publisher.post(channel, b"a").status == 202
    own.kill()
    try:
        for _ in range(5):
            began = time.monotonic()
            answer = publisher.post(channel, b"a")
            assert (answer.status, answer.headers["retry-after"]) == (503, "2")
            assert time.monotonic() - began < 2
    finally:
        own.restart()

    wait_until(lambda: publisher.post(channel, b"a").status == 202)


def test_a_redis_that_stands_still_holds_nobody_for_long_and_memory_stays_flat(
    publisher: Publisher, make_channel: Make, own: OwnServer, wait_until: Any
) -> None:
    channel = make_channel()
    taken = [publisher.post(channel, b"a")]
    assert taken[0].status == 202
    web = next(
        one
        for one in psutil.Process(os.getpid()).children(recursive=True)
        if publisher.url.rpartition(":")[2] in one.cmdline()
    )
    before = web.memory_info().rss

    with own.frozen(), ThreadPoolExecutor(64) as pool:
        body = b'{"message": "a"}\n' * 10_000  # 170 kB, and a third of the room.
        began = time.monotonic()
        waiting = [
            pool.submit(publisher.post, channel, body, content_type="application/x-ndjson")
            for _ in range(300)
        ]
        answers = [one.result() for one in waiting]
        grown = web.memory_info().rss - before

    assert {answer.status for answer in answers} == {503}
    assert all(answer.headers["retry-after"] == "2" for answer in answers)
    refused = [answer for answer in answers if "takes up at once" in answer.data["detail"]]
    assert refused, "the room was never full"
    assert time.monotonic() - began < 40
    assert grown < 48 << 20

    def is_taken() -> bool:
        taken.append(publisher.post(channel, b"a"))
        return taken[-1].status == 202

    wait_until(is_taken)
    # What was answered 503 may stand; what was answered 202 does.
    assert len(ids_of(taken)) == 2
    assert ids_of(taken) <= set(standing(own))


def test_publishers_leave_a_fifth_of_the_memory_to_listeners(
    publisher: Publisher, make_channel: Make, own: OwnServer, wait_until: Any
) -> None:
    channel, client = make_channel(), own.redis()
    most = int(client.info("memory")["used_memory"]) + (8 << 20)
    client.config_set("maxmemory", most)
    looked = looks(client)
    try:
        # Web looks what the limit is twice a second, while something is published.
        wait_until(lambda: publisher.post(channel, b"a").status == 202 and looks(client) > looked)
        statuses = [publisher.post(channel, b"a" * 100_000).status]
        while statuses[-1] == 202 and len(statuses) < 500:
            statuses.append(publisher.post(channel, b"a" * 100_000).status)
        assert statuses[-1] == 503
        assert statuses.count(202) > 10
        assert client.info("memory")["used_memory"] < 0.9 * most
        answer = publisher.post(channel, b"a")
        assert (answer.status, answer.data["type"]) == (503, "urn:relay:problem:not-taken")
        assert answer.headers["retry-after"] == "2"
    finally:
        client.config_set("maxmemory", 0)
    wait_until(lambda: publisher.post(channel, b"a").status == 202, seconds=3)


def test_a_redis_that_is_full_all_at_once_is_503(
    publisher: Publisher, make_channel: Make, own: OwnServer, wait_until: Any
) -> None:
    channel, client = make_channel(), own.redis()
    assert publisher.post(channel, b"a").status == 202
    client.config_set("maxmemory", 1)
    try:
        assert publisher.post(channel, b"a").status == 503
        wait_until(lambda: b"nearly full" in str(publisher.post(channel, b"a").data).encode(), seconds=3)
    finally:
        client.config_set("maxmemory", 0)
    wait_until(lambda: publisher.post(channel, b"a").status == 202, seconds=3)


def test_a_redis_that_was_full_when_its_connection_ended_is_dialled_again(
    publisher: Publisher, make_channel: Make, own: OwnServer, wait_until: Any
) -> None:
    channel, client = make_channel(), own.redis()
    assert publisher.post(channel, b"a").status == 202
    client.config_set("maxmemory", 1)
    try:
        wait_until(lambda: b"nearly full" in str(publisher.post(channel, b"a").data).encode(), seconds=3)
        client.client_kill_filter(_type="normal", skipme=True)
    finally:
        client.config_set("maxmemory", 0)
    wait_until(lambda: publisher.post(channel, b"a").status == 202, seconds=3)


def test_a_replica_takes_nothing(
    publisher: Publisher, make_channel: Make, own: OwnServer, wait_until: Any
) -> None:
    channel, client = make_channel(), own.redis()
    client.replicaof("127.0.0.1", 1)
    try:
        assert publisher.post(channel, b"a").status == 503
    finally:
        client.replicaof("NO", "ONE")
    wait_until(lambda: publisher.post(channel, b"a").status == 202, seconds=3)


def test_while_channels_are_moved_nothing_is_taken(
    publisher: Publisher, make_channel: Make, own: OwnServer
) -> None:
    channel, client = make_channel(), own.redis()
    assert publisher.post(channel, b"a").status == 202
    before: Any = client.getset(keys.layout(0), "moving")
    try:
        for _ in range(2):
            answer = publisher.post(channel, b"a")
            assert (answer.status, answer.data["type"]) == (503, "urn:relay:problem:unfit")
    finally:
        client.set(keys.layout(0), before)
    assert publisher.post(channel, b"a").status == 202
    assert len(standing(own)) == 2


def test_a_replica_confirms_what_it_has_or_the_answer_says_that_none_does(
    serve: Callable[..., str], token: str, make_channel: Make, tmp_path: Path, wait_until: Any
) -> None:
    channel = make_channel()
    with Failover(tmp_path) as servers:
        publisher = Publisher(serve(REDIS_URL=servers.url), token)
        answer = publisher.post(channel, b"a", "?confirm=replicated")
        assert answer.status == 202
        assert servers.replica.xlen(keys.stream(0)) == 1

        servers.replica.execute_command("REPLICAOF", "NO", "ONE")
        wait_until(lambda: servers.primary.info("replication")["connected_slaves"] == 0)
        answer = publisher.post(channel, b"a", "?confirm=replicated")
        assert (answer.status, answer.data["type"]) == (400, "urn:relay:problem:no-replica")
        assert publisher.post(channel, b"a").status == 202


def test_a_replica_that_does_not_confirm_in_time_is_503(
    serve: Callable[..., str], token: str, make_channel: Make, tmp_path: Path
) -> None:
    channel = make_channel()
    with Failover(tmp_path) as servers:
        publisher = Publisher(serve(REDIS_URL=servers.url), token)
        assert publisher.post(channel, b"a", "?confirm=replicated").status == 202
        pid = servers.replica.info("server")["process_id"]
        os.kill(pid, signal.SIGSTOP)
        try:
            answers = [publisher.post(channel, b"a", "?confirm=replicated"), publisher.post(channel, b"a")]
        finally:
            os.kill(pid, signal.SIGCONT)

    assert [answer.status for answer in answers] == [503, 202]
    assert "No replica has confirmed it" in answers[0].data["detail"]
