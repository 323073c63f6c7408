"""Django system checks: contradictions between settings, and servers that are set up badly."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

import redis
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import OperationalError, ProgrammingError
from pymongo.errors import PyMongoError

from leases_app import deployment
from leases_app.models import PROOF_SECONDS
from relaybase import fitness
from relaybase.connections import mongo_collection, shared_redis
from relaybase.mongo import shape
from relaycore.fitness import Finding
from relayproject import migrating

_migrates: ContextVar[bool] = ContextVar("migrates", default=False)


@contextmanager
def while_migrating() -> Iterator[None]:
    """Meanwhile what is wrong with tables and collections is a warning: `migrate` is there to mend it."""
    before = _migrates.set(True)
    try:
        yield
    finally:
        _migrates.reset(before)


@register()
def check_settings(**_: Any) -> list[CheckMessage]:
    """Settings that are fine each by itself, and not together."""
    found: list[CheckMessage] = []
    if settings.RELAY_LEASE_TTL_SECONDS < 2 * settings.RELAY_LEASE_HEARTBEAT_SECONDS:
        found.append(
            Error(
                "A lease lapses when a single heartbeat is late.",
                hint="Make RELAY_LEASE_TTL_SECONDS at least twice RELAY_LEASE_HEARTBEAT_SECONDS.",
                id="relay.E001",
            )
        )
    # A leader that nobody needs ticks five times less often, and writes the proof with its next heartbeat.
    rarest = settings.RELAY_LEASE_HEARTBEAT_SECONDS + 5 * settings.RELAY_LISTENER_TICK_SECONDS
    if rarest > PROOF_SECONDS - 0.5:
        found.append(
            Error(
                "What is heard would look as if it were not: it is proven too seldom.",
                hint="Lower RELAY_LEASE_HEARTBEAT_SECONDS or RELAY_LISTENER_TICK_SECONDS.",
                id="relay.E003",
            )
        )
    if settings.RELAY_LISTENER_MEMORY_BYTES < 2 * settings.RELAY_MESSAGE_MAX_BYTES:
        found.append(
            Error(
                "The listener's memory has no room for two of the largest messages.",
                hint="Raise RELAY_LISTENER_MEMORY_BYTES or lower RELAY_MESSAGE_MAX_BYTES.",
                id="relay.E002",
            )
        )
    return found


@register(Tags.database)
def check_servers(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Redis with `--database default`, MongoDB with `--database messages`."""
    findings: list[Finding] = []
    of_shape: list[Finding] = []
    try:
        if databases and "default" in databases:
            findings += fitness.redis_findings(shared_redis())
            findings += _deployment_findings()
            of_shape += _of_migrations("default")
        if databases and "messages" in databases:
            messages = mongo_collection("messages")
            findings += fitness.mongo_findings(messages)
            of_shape += _of_migrations("messages") or shape.findings(messages.database)
    except (redis.RedisError, PyMongoError, OperationalError) as exc:
        return [Error(f"A server does not answer: {exc}", id="relay.server")]
    if _migrates.get():
        of_shape = [replace(finding, serious=False) for finding in of_shape]
    kinds = {True: Error, False: Warning}
    every = sorted([*findings, *of_shape], key=lambda finding: not finding.serious)
    return [kinds[f.serious](f.text, hint=f.hint, id=f.id) for f in every]


def _of_migrations(alias: str) -> list[Finding]:
    """What a database lacks of this version's migrations."""
    if (lacks := migrating.unapplied(alias)) is None:
        return []
    return [migrating.finding(alias, lacks)]


def _deployment_findings() -> Iterator[Finding]:
    """Whether the secret and Redis are those of the deployment."""
    try:
        own = deployment.recorded()
    except ProgrammingError:
        return  # Before the first `migrate` there is no table, and nothing that could be another one's.
    if (wrong_secret := deployment.wrong_secret(own)) is not None:
        yield Finding("relay.secret", wrong_secret, "", serious=True)
    if (foreign := deployment.foreign(own.identity, deployment.beside_stream())) is not None:
        yield Finding("relay.redis.foreign", foreign, "", serious=True)
