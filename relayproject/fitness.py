"""Whether the servers are set up so that they keep what they were given.

What would lose messages for certain is *serious*: the loops refuse to start. What loses
them only together with a second fault is a warning. The same findings are Django system
checks (`relayproject.checks`), so `manage.py migrate` and `manage.py check --database
default` show them too.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import redis
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from relaycore.errors import Disconnected, UnfitServer

log = logging.getLogger(__name__)

_HARD_BYTES = 128 << 20
_SOFT_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a server that an operator should know. `id` is stable."""

    id: str
    text: str
    hint: str
    serious: bool = False


def redis_findings(client: redis.Redis) -> Iterator[Finding]:
    """What speaks against this Redis.

    Raises:
        redis.RedisError: it does not answer.
    """
    info = client.info()
    yield from _place_findings(info)
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        yield Finding(
            "relay.redis.eviction",
            f"Redis has maxmemory-policy {policy}: it may throw away the whole stream to make room.",
            "Set maxmemory-policy to noeviction.",
            serious=bool(info.get("maxmemory")),
        )
    if not info.get("aof_enabled"):
        yield Finding(
            "relay.redis.aof",
            "Redis has its append-only file off: a restart loses what is on the stream and not yet stored.",
            "Set appendonly yes.",
        )
    yield from _buffer_findings(client)


def _place_findings(info: Mapping[str, Any]) -> Iterator[Finding]:
    if info.get("cluster_enabled"):
        yield Finding(
            "relay.redis.cluster",
            "This Redis is a node of a cluster, which Relay does not support yet.",
            "Use one Redis, with or without replicas.",
            serious=True,
        )
    elif info.get("role") == "slave":
        yield Finding(
            "relay.redis.replica",
            f"This Redis is a replica of {info['master_host']}:{info['master_port']} and takes no writes.",
            "Connect to the primary: set REDIS_URL to an address that leads to it after a failover as well.",
            serious=True,
        )


def takes_nothing(info: Mapping[str, Any]) -> str | None:
    """Why a Redis that gives this information refuses whatever is to be written; None: it takes it."""
    most = int(info.get("maxmemory", 0))
    if 0 < most < int(info.get("used_memory", 0)):
        return "its memory is full"
    if info.get("aof_last_write_status", "ok") != "ok":
        return "it cannot write its append-only file"
    if info.get("role", "master") != "master":
        return "it is a replica"
    return None


def pubsub_limits(value: str) -> tuple[int, int] | None:
    """The hard and the soft limit for subscribers, in bytes, 0 for none, from client-output-buffer-limit."""
    words = value.split()
    try:
        at = words.index("pubsub")
        return int(words[at + 1]), int(words[at + 2])
    except (ValueError, IndexError):
        return None


def _buffer_findings(client: redis.Redis) -> Iterator[Finding]:
    try:
        answer = cast(dict[str, str], client.config_get("client-output-buffer-limit"))
        limits = pubsub_limits(next(iter(answer.values())))
    except (redis.ResponseError, StopIteration):
        limits = None
    if limits is None:
        yield Finding(
            "relay.redis.unknown",
            "Redis does not let this user read client-output-buffer-limit, so it was not checked.",
            "Allow CONFIG GET, or see to it that the limit for pubsub is 256mb 128mb 60.",
        )
        return
    hard, soft = limits
    if 0 < hard < _HARD_BYTES or 0 < soft < _SOFT_BYTES:
        yield Finding(
            "relay.redis.buffer",
            f"Redis cuts off a listener that is {hard >> 20} MiB behind, or {soft >> 20} MiB for a while: "
            "everything in that buffer is lost then.",
            "Set client-output-buffer-limit to pubsub 256mb 128mb 60.",
        )


def mongo_findings(collection: Collection[Any]) -> Iterator[Finding]:
    """What speaks against this MongoDB: found out by a durable write, the only proof there is.

    Raises:
        PyMongoError: it does not answer.
    """
    probe = collection.database.get_collection("probe", write_concern=collection.write_concern)
    try:
        probe.update_one({"_id": "durable"}, {"$currentDate": {"at": True}}, upsert=True)
    except OperationFailure as exc:
        if exc.timeout:
            raise
        yield Finding(
            "relay.mongo.durable",
            f"MongoDB does not take a durable write: {' '.join(str(exc).split())[:200]}",
            "Give the user readWrite on the database, and let mongod journal.",
            serious=True,
        )


def require_redis(client: redis.Redis) -> None:
    """Log what speaks against this Redis.

    Raises:
        UnfitServer: something serious does.
        Disconnected: it does not answer.
    """
    try:
        require(redis_findings(client))
    except redis.RedisError as exc:
        raise Disconnected(f"Redis cannot be reached: {exc}") from exc


def require(findings: Iterable[Finding]) -> None:
    """Log what was found.

    Raises:
        UnfitServer: something serious was.
    """
    serious = []
    for finding in findings:
        if finding.serious:
            serious.append(f"{finding.text} {finding.hint}")
        else:
            log.warning("%s %s (%s)", finding.text, finding.hint, finding.id)
    if serious:
        raise UnfitServer(" ".join(serious))
