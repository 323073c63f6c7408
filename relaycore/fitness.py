"""Whether a server is set up so that it keeps what it was given, by what it says of itself.

What would lose messages for certain is *serious*: no loop starts with it, and one that runs says
that it is in trouble. What loses them only together with a second fault is a warning. What is wrong with
the collections in MongoDB keeps no writer from starting (`relaybase.mongo.shape`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_HARD_BYTES = 128 << 20
_SOFT_BYTES = 64 << 20

IDLE_CONNECTIONS = 45
"""What two listeners, a writer, a sender, web and the task queue hold on Redis (measured)."""

_MOST_TAKEN = 0.9


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a server that an operator should know. `id` is stable."""

    id: str
    text: str
    hint: str
    serious: bool = False

    @property
    def sentences(self) -> str:
        """What is wrong, and what to do about it."""
        return f"{self.text} {self.hint}".strip()


def of_redis(info: Mapping[str, Any]) -> list[Finding]:
    """What speaks against a Redis that answers this to INFO; values as text, or as numbers."""
    found = _of_place(info)
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        # Of Relay's keys those have a time to live that can be done without. The stream has none.
        is_spared = policy.startswith("volatile-")
        what = "what Relay counts" if is_spared else "the whole stream"
        found.append(
            Finding(
                "relay.redis.eviction",
                f"Redis has maxmemory-policy {policy}: it may throw away {what} to make room.",
                "Set maxmemory-policy to noeviction.",
                serious=not is_spared and int(info.get("maxmemory", 0)) > 0,
            )
        )
    if not int(info.get("aof_enabled", 0)):
        found.append(
            Finding(
                "relay.redis.aof",
                "Redis has its append-only file off: "
                "a restart loses what is on the stream and not yet stored.",
                "Set appendonly yes.",
            )
        )
    return sorted([*found, *_of_connections(info)], key=lambda finding: not finding.serious)


def _of_connections(info: Mapping[str, Any]) -> Iterator[Finding]:
    most = int(info.get("maxclients", 0))
    taken = int(info.get("connected_clients", 0))
    if 0 < most < 2 * IDLE_CONNECTIONS:
        text = (
            f"Redis takes {most} connections at most, and Relay holds {IDLE_CONNECTIONS} with nothing to do"
        )
    elif 0 < most * _MOST_TAKEN < taken:
        text = f"Redis takes {most} connections at most, of which {taken} are taken"
    else:
        return
    yield Finding(
        "relay.redis.connections",
        f"{text}: what finds no place neither hears nor stores.",
        "Raise maxclients.",
    )


def _of_place(info: Mapping[str, Any]) -> list[Finding]:
    if int(info.get("cluster_enabled", 0)):
        return [
            Finding(
                "relay.redis.cluster",
                "This Redis is a node of a cluster, which Relay does not support yet.",
                "Use one Redis, with or without replicas.",
                serious=True,
            )
        ]
    if info.get("role") == "slave":
        return [
            Finding(
                "relay.redis.replica",
                "This Redis is a replica and takes no writes.",
                "Connect to the primary (INFO replication names it): "
                "set REDIS_URL to an address that leads to it after a failover as well.",
                serious=True,
            )
        ]
    return []


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


def of_buffer(value: str | None) -> list[Finding]:
    """What speaks against this client-output-buffer-limit; None: it may not be read."""
    limits = None if value is None else pubsub_limits(value)
    if limits is None:
        return [
            Finding(
                "relay.redis.unknown",
                "Redis does not let this user read client-output-buffer-limit, so it was not checked.",
                "Allow CONFIG GET, or see to it that the limit for pubsub is 256mb 128mb 60.",
            )
        ]
    hard, soft = limits
    if not (0 < hard < _HARD_BYTES or 0 < soft < _SOFT_BYTES):
        return []
    return [
        Finding(
            "relay.redis.buffer",
            f"Redis cuts off a listener that is {hard >> 20} MiB behind, or {soft >> 20} MiB for a while: "
            "everything in that buffer is lost then.",
            "Set client-output-buffer-limit to pubsub 256mb 128mb 60.",
        )
    ]


def pubsub_limits(value: str) -> tuple[int, int] | None:
    """The hard and the soft limit for subscribers, in bytes, 0 for none, from client-output-buffer-limit."""
    words = value.split()
    try:
        at = words.index("pubsub")
        return int(words[at + 1]), int(words[at + 2])
    except (ValueError, IndexError):
        return None


def fields_of(info: bytes) -> dict[str, str]:
    """What stands in an answer to INFO, as it came over the wire."""
    lines = (line.partition(b":") for line in info.splitlines() if not line.startswith(b"#"))
    return {
        name.decode("ascii", "replace"): text.decode("ascii", "replace") for name, _, text in lines if name
    }
