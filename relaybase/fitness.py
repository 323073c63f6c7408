"""Asks the servers whether they keep what they were given (`relaycore.fitness`), at a start and in `check`.

With something serious the loops refuse to start. The same findings are Django system checks
(`relayproject.checks`), so `manage.py migrate` and `manage.py check --database default` show them too.
While everything runs, `relaybase.watching` asks on.
"""

import logging
from collections.abc import Iterable, Iterator
from typing import Any, cast

import redis
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from relaycore.errors import Disconnected, UnfitServer
from relaycore.fitness import Finding, of_buffer, of_redis

log = logging.getLogger(__name__)

_MOST_SAID = 200


def redis_findings(client: redis.Redis, info: dict[str, Any] | None = None) -> list[Finding]:
    """What speaks against this Redis. `info`: what it has just answered to INFO, if it was asked.

    Raises:
        redis.RedisError: it does not answer.
    """
    found = of_redis(client.info() if info is None else info)
    try:
        answer = cast(dict[str, str], client.config_get("client-output-buffer-limit"))
        return found + of_buffer(next(iter(answer.values()), None))
    except redis.ResponseError:
        return found + of_buffer(None)


def mongo_findings(collection: Collection[Any]) -> Iterator[Finding]:
    """What speaks against this MongoDB: found out by a durable write, the only proof there is.

    Raises:
        PyMongoError: it does not answer.
    """
    probe = collection.database.get_collection("probe", write_concern=collection.write_concern)
    try:
        probe.update_one({"_id": "durable"}, {"$currentDate": {"at": True}}, upsert=True)
    except OperationFailure as exc:
        if exc.timeout or exc.has_error_label("RetryableWriteError"):
            raise
        yield Finding(
            "relay.mongo.durable",
            f"MongoDB does not take a durable write: {_reason(exc)}.",
            "Give the user readWrite on the database, and let mongod journal.",
            serious=True,
        )


def _reason(exc: OperationFailure) -> str:
    """What MongoDB says, without the command that it repeats: that has a signature in it."""
    said = str((exc.details or {}).get("errmsg", exc)).partition(" {")[0]
    return " ".join(said.split())[:_MOST_SAID].rstrip(".")


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
    """Log what was found. What is serious comes first, and alone: the rest is said once that is mended.

    Raises:
        UnfitServer: something serious was.
    """
    findings = tuple(findings)
    if serious := [finding.sentences for finding in findings if finding.serious]:
        raise UnfitServer(" ".join(serious))
    for finding in findings:
        log.warning("%s (%s)", finding.sentences, finding.id)
