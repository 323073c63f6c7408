"""(i) Pull subscriptions: messages fetched and settled by HTTP, one by one and many at once.

In two ways: by a call of its own, or with the next fetch; and by clients of the log queue. Beside it, in
the same run and under the same load: a log queue of FastAPI and asyncpg
(`peers/fastapi_queue.py`), and redis-py's XREADGROUP and XACK without any server between
(`peers/redis_group.py`).
"""

import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

import httpx2

from benchmarks import waiting
from benchmarks.consumers import (
    Consumed,
    Turn,
    acking_on,
    acknowledging,
    committing,
    consume,
    going_on,
    of_log_queue,
    of_peer,
    of_peer_at_once,
)
from benchmarks.contenders import PEERS
from benchmarks.documents import DURABLE, fill
from benchmarks.load import Shape, make_load
from benchmarks.progress import say
from benchmarks.relay import Relay
from benchmarks.results import Results
from benchmarks.web import Web, peer_web, relay_web

PEER: Final = "FastAPI and asyncpg"
REDIS: Final = "redis-py, XREADGROUP and XACK"

_CONSUMERS: Final = 64
_READERS: Final = 16
_SHAPE: Final = Shape("pull-", 1)
_QUEUE: Final = Shape("queue/pull-", 1)
_STREAM: Final = "peer-stream"
_TOPIC: Final = "peer"

_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured.

    one_by_one: messages for each of 64 consumers
    alone:      messages for one consumer
    fetched:    messages for each of 16 who fetch many at once; a multiple of 1,000
    times:      how often each
    waits:      of those who wait
    """

    one_by_one: int = 200
    alone: int = 2000
    fetched: int = 20_000
    times: int = 3
    waits: waiting.Effort = field(default_factory=waiting.Effort)


Prepared = Callable[[], tuple[Web, Sequence[Turn]]]
"""Makes new consumers, who stand at the first message."""


def measure(relay: Relay, results: Results, effort: Effort) -> None:
    """All of it."""
    relay.empty()
    messages = max(effort.one_by_one * _CONSUMERS, effort.alone, effort.fetched)
    load = make_load(_SHAPE, messages)
    fill(relay.collection.with_options(write_concern=DURABLE), load)
    relay.make_channel(_SHAPE.names[0])
    with (
        relay_web(relay, RELAY_LOG_QUEUE="token") as ours,
        peer_web(relay, results, PEER, "fastapi_queue") as peer,
    ):
        _fill_queue(relay, ours, max(effort.one_by_one, effort.alone))
        if peer is not None:
            _fill_peer(relay, messages)
        for connections, each in ((_CONSUMERS, effort.one_by_one), (1, effort.alone)):
            _one_by_one(relay, results, ours, peer, connections, each, effort.times)
        _fill_stream(relay, effort.fetched)
        for most in (100, 1000):
            _many(relay, results, ours, peer, most, effort)
    with relay_web(relay) as ours:
        waiting.measure(relay, results, ours, effort.waits)


def _one_by_one(
    relay: Relay, results: Results, ours: Web, peer: Web | None, connections: int, each: int, times: int
) -> None:
    after = f", one by one, {connections} consumer{'s' * (connections > 1)}"
    base = f"{PEER}, at once{after}"
    contenders: dict[str, Prepared] = {}
    if peer is not None:
        contenders[base] = lambda: (
            peer,
            [of_peer_at_once(peer, one) for one in _peers(relay, connections)],
        )
        contenders[f"{PEER}, fetch and commit{after}"] = lambda: (
            peer,
            [of_peer(peer, one, 1) for one in _peers(relay, connections)],
        )
    contenders[f"fetch and commit{after}"] = lambda: (
        ours,
        [committing(ours, one, 1) for one in subscribe(relay, connections, "cursor")],
    )
    contenders[f"fetch with the commit{after}"] = lambda: (
        ours,
        [going_on(ours, one, 1) for one in subscribe(relay, connections, "cursor")],
    )
    contenders[f"log queue, consume{after}"] = lambda: (
        ours,
        [of_log_queue(ours, _topic(), one) for one in _queue_consumers(ours, connections)],
    )
    contenders[f"lease and ack{after}"] = lambda: (
        ours,
        [acknowledging(ours, one, 1) for one in subscribe(relay, connections, "lease")],
    )
    contenders[f"lease with the ack{after}"] = lambda: (
        ours,
        [acking_on(ours, one, 1) for one in subscribe(relay, connections, "lease")],
    )
    if connections > 1:
        contenders[f"lease and ack, one by one, {connections} workers of one subscription"] = lambda: (
            ours,
            _sharing(relay, ours, connections),
        )
    _in_turn(results, contenders, each, max(1, each // 10), times, base)


def _sharing(relay: Relay, ours: Web, workers: int) -> list[Turn]:
    [name] = subscribe(relay, 1, "lease")
    seen = set[bytes]()
    return [acknowledging(ours, name, 1, seen) for _ in range(workers)]


def _many(relay: Relay, results: Results, ours: Web, peer: Web | None, most: int, effort: Effort) -> None:
    after = f", {most:,} at once"
    base = f"{PEER}, fetch and commit{after}"
    contenders: dict[str, Prepared] = {}
    if peer is not None:
        contenders[base] = lambda: (peer, [of_peer(peer, one, most) for one in _peers(relay, _READERS)])
    contenders[f"fetch and commit{after}"] = lambda: (
        ours,
        [committing(ours, one, most) for one in subscribe(relay, _READERS, "cursor")],
    )
    contenders[f"fetch with the commit{after}"] = lambda: (
        ours,
        [going_on(ours, one, most) for one in subscribe(relay, _READERS, "cursor")],
    )
    contenders[f"lease and ack{after}"] = lambda: (
        ours,
        [acknowledging(ours, one, most) for one in subscribe(relay, _READERS, "lease")],
    )
    _in_turn(results, contenders, effort.fetched, 1000, effort.times, base)
    rates = [_from_stream(relay, most, effort.fetched) for _ in range(effort.times)]
    name = f"{REDIS}{after}"
    found = median(rate for rate, _ in rates)
    results.add("i", f"{name}, messages/s", found, "messages/s", to=f"{base}, messages/s", rates=rates)
    say(f"{name}: {found:,.0f}/s")
    ours_rate = results.value(f"fetch with the commit{after}, messages/s") or 0.0
    beside = f"fetch with the commit{after}, beside redis-py"
    results.add("i", beside, ours_rate, "messages/s", to=f"{name}, messages/s")


def _in_turn(
    results: Results, contenders: Mapping[str, Prepared], messages: int, warm: int, times: int, base: str
) -> None:
    """Each so many times, one after the other. `warm`: so many messages before it counts."""
    found: dict[str, list[Consumed]] = {name: [] for name in contenders}
    for prepared in contenders.values():
        server, turns = prepared()
        consume(server, turns, warm)
    for _ in range(times):
        for name, prepared in contenders.items():
            server, turns = prepared()
            found[name].append(consume(server, turns, messages))
    for name, runs in found.items():
        rates, costs = [run.rate for run in runs], [run.cpu_us for run in runs]
        to_rate, to_cost = f"{base}, messages/s", f"{base}, CPU"
        results.add("i", f"{name}, messages/s", median(rates), "messages/s", to=to_rate, rates=rates)
        results.add("i", f"{name}, CPU", median(costs), "us/message", to=to_cost, rates=costs)
        say(f"{name}: {median(rates):,.0f}/s, {median(costs):,.1f} us")


def subscribe(relay: Relay, count: int, mode: str, channel: str = _SHAPE.names[0]) -> list[str]:
    """New subscriptions, from the first message on."""
    names = [f"bench-{next(_numbers)}" for _ in range(count)]
    relay.subscribe(channel, mode, names)
    return names


def _topic() -> str:
    return _QUEUE.names[0].partition("/")[2]


def _fill_queue(relay: Relay, ours: Web, messages: int) -> None:
    fill(relay.collection.with_options(write_concern=DURABLE), make_load(_QUEUE, messages))
    _ask(ours, "topics", {"topic": _topic()})


def _queue_consumers(ours: Web, count: int) -> list[int]:
    """New consumers of the log queue."""
    return [int(_ask(ours, "consumer/register", {"topic": _topic()})["consumer_id"]) for _ in range(count)]


def _ask(ours: Web, path: str, said: Mapping[str, str]) -> Any:
    headers = {"Authorization": f"Bearer {ours.token}"}
    answer = httpx2.post(f"http://127.0.0.1:{ours.port}/queue/{path}", json=said, headers=headers)
    return answer.raise_for_status().json()


def _fill_peer(relay: Relay, messages: int) -> None:
    text = _SHAPE.text(0).decode()
    with relay.stack.postgres() as connection, connection.cursor() as sql:
        sql.execute(
            "insert into queued (topic, message) select %s, %s from generate_series(1, %s)",
            [_TOPIC, text, messages],
        )
        sql.execute("vacuum analyze queued")


def _peers(relay: Relay, count: int) -> list[int]:
    """New consumers of the peer."""
    with relay.stack.postgres() as connection, connection.cursor() as sql:
        sql.execute(
            "insert into consumers (topic) select %s from generate_series(1, %s) returning id",
            [_TOPIC, count],
        )
        return [int(id) for (id,) in sql.fetchall()]


def _fill_stream(relay: Relay, messages: int) -> None:
    relay.redis.delete(_STREAM)
    text = _SHAPE.text(0)
    for begin in range(0, messages, 1000):
        with relay.redis.pipeline(transaction=False) as pipe:
            for _ in range(begin, min(begin + 1000, messages)):
                pipe.xadd(_STREAM, {"message": text})
            pipe.execute()


def _from_stream(relay: Relay, most: int, messages: int) -> tuple[float, float]:
    """Messages for each second, and CPU of the client for each, in microseconds."""
    url = relay.stack.info["redis_url"]
    argv = [sys.executable, str(PEERS / "redis_group.py"), url, _STREAM, str(most), str(messages)]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    found = json.loads(said)
    return found["messages"] / found["seconds"], found["cpu"] / found["messages"] * 1e6
