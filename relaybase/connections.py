"""The only module that makes Redis and MongoDB clients, and their time limits."""

import asyncio
import functools
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary, ref

import redis
import redis.asyncio
from django.conf import settings
from pymongo import AsyncMongoClient, MongoClient, WriteConcern
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.collection import Collection
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.connection import ConnectionPool
from redis.retry import Retry

from relaybase.mongo import READING
from relaybase.mongo.address import beside
from relaybase.redis.primary import connection_class
from relaybase.redis.wire import Connection, Wire
from relaycore.errors import Disconnected

COMMAND_TIMEOUT_SECONDS = 5.0

_Made = TypeVar("_Made")


def redis_client(*, timeout: float = COMMAND_TIMEOUT_SECONDS) -> redis.Redis:
    """A Redis client of its own. It never retries: a retried XADD would append twice.

    It does not stay with a server that was demoted: `relaybase.redis.primary`.
    """
    url = settings.SERVERS.redis_url
    return redis.Redis.from_pool(
        ConnectionPool.from_url(
            url,
            connection_class=connection_class(url),
            socket_timeout=timeout,
            socket_connect_timeout=COMMAND_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
    )


@functools.lru_cache(maxsize=1)
def shared_redis() -> redis.Redis:
    """The client of this process for short commands; safe in threads."""
    return redis_client()


def open_wire(name: str) -> Wire:
    """A connection to Redis whose stream of replies the caller owns. It never reconnects.

    redis-py makes the connection (TLS, Unix socket, authentication); `name` is what
    `CLIENT LIST` shows.

    Raises:
        Disconnected: Redis cannot be reached or refuses.
    """
    url = settings.SERVERS.redis_url
    alive = {} if url.startswith("unix:") else {"socket_keepalive": True}
    pool = ConnectionPool.from_url(
        url,
        protocol=2,
        client_name=name,
        socket_timeout=COMMAND_TIMEOUT_SECONDS,
        socket_connect_timeout=COMMAND_TIMEOUT_SECONDS,
        **alive,
        retry=Retry(NoBackoff(), 0),
    )
    connection = pool.make_connection()
    try:
        connection.connect()
    except (redis.RedisError, OSError) as exc:
        raise Disconnected(f"Redis cannot be reached: {exc}") from exc
    return Wire(cast(Connection, connection))


_mongo_lock = threading.Lock()


@functools.lru_cache(maxsize=1)
def _mongo_client() -> MongoClient[dict[str, Any]]:
    return MongoClient(
        settings.SERVERS.mongo_url,
        **beside(
            settings.SERVERS.mongo_url,
            appname="relay-writer",
            serverSelectionTimeoutMS=3000,
            connectTimeoutMS=3000,
        ),
        timeoutMS=int(settings.RELAY_MONGO_TIMEOUT_SECONDS * 1000),
        retryWrites=True,
        tz_aware=True,
        **READING,
        datetime_conversion="DATETIME_CLAMP",  # Else a time after the year 9999 makes its page unreadable.
    )


def mongo_collection(name: str) -> Collection[dict[str, Any]]:
    """A collection of the messages database with the durable write concern.

    `w: majority` and `j: true`: acknowledged means that a kill of any one server loses
    nothing. Call it after a fork, never before.
    """
    with _mongo_lock:
        client = _mongo_client()
    database = client[settings.DATABASES["messages"]["NAME"]]
    return database.get_collection(name, write_concern=WriteConcern(w="majority", j=True))


def one_per_loop(make: Callable[[], _Made]) -> Callable[[], _Made]:
    """What `make` makes, once for each event loop: async clients belong to the one that they were made in."""
    made: WeakKeyDictionary[asyncio.AbstractEventLoop, _Made] = WeakKeyDictionary()
    last: tuple[ref[asyncio.AbstractEventLoop], _Made] | None = None

    def forget(gone: ref[asyncio.AbstractEventLoop]) -> None:
        nonlocal last
        if last is not None and last[0] is gone:
            last = None

    def get() -> _Made:
        nonlocal last
        loop, known = asyncio.get_running_loop(), last
        # Nearly always there is one loop, and this is called several times for each request.
        if known is not None and known[0]() is loop:
            return known[1]
        if loop not in made:
            made[loop] = make()
        last = ref(loop, forget), made[loop]
        return last[1]

    return get


@one_per_loop
def async_redis() -> redis.asyncio.Redis:
    """The client of this event loop for short commands. It never retries, as `redis_client`."""
    return redis.asyncio.Redis.from_url(
        settings.SERVERS.redis_url,
        socket_timeout=COMMAND_TIMEOUT_SECONDS,
        socket_connect_timeout=COMMAND_TIMEOUT_SECONDS,
        retry=AsyncRetry(NoBackoff(), 0),
        protocol=2,
    )


@one_per_loop
def async_messages() -> AsyncCollection[dict[str, Any]]:
    """The stored messages, to read in this event loop, as `messages_app.searching.history` reads them."""
    database = settings.DATABASES["messages"]
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
        database["HOST"], tz_aware=True, **{**database["OPTIONS"], **READING}
    )
    return client[database["NAME"]]["messages"]


async def close_async() -> None:
    """Close what this event loop has of them, before it ends: nobody else can."""
    await async_messages().database.client.close()
    await async_redis().aclose()
