"""What MongoDB has acknowledged to the writer is shown to whoever reads after it.

A server that was cut off from the others may take itself for the primary for some seconds, and answer from
what it had before. So a reader names the time up to which MongoDB has acknowledged what stands below the
watermark (kept beside it, `relaycore.storing.known`): a server that has not come so far says so, or waits.
A single server has no such times, and cannot be behind.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

from bson import Timestamp
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from relaycore.errors import Disconnected
from relaycore.storing.known import operation_time as as_text
from relaycore.storing.known import operation_time_of

_INVALID_OPTIONS: Final = 72
"""MongoDB's error for a time that it does not know of yet: another server has gone on without it."""


@contextmanager
def session_after(collection: Collection[Any], operation_time: str) -> Iterator[ClientSession]:
    """What is read with this session is of this time or later; each read not older than the one before.

    Raises:
        Disconnected: the server that answers has fallen behind.
        pymongo.errors.PyMongoError: MongoDB cannot answer.
    """
    client = collection.database.client
    with client.start_session() as session, _refusing_what_is_behind():
        _advance(session, client, operation_time)
        yield session


@asynccontextmanager
async def async_session_after(
    collection: AsyncCollection[Any], operation_time: str
) -> AsyncIterator[AsyncClientSession]:
    """The same, in an event loop."""
    client = collection.database.client
    async with client.start_session() as session:
        with _refusing_what_is_behind():
            _advance(session, client, operation_time)
            yield session


def read_at(session: ClientSession) -> str:
    """Of what time that was which was read with this session last; empty where there are no times."""
    time = session.operation_time
    return "" if time is None else as_text(time.time, time.inc)


def _advance(session: ClientSession | AsyncClientSession, client: Any, operation_time: str) -> None:
    time = operation_time_of(operation_time)
    if time is not None and _has_times(client):
        session.advance_operation_time(Timestamp(*time))


@contextmanager
def _refusing_what_is_behind() -> Iterator[None]:
    try:
        yield
    except OperationFailure as exc:
        if exc.code != _INVALID_OPTIONS or "afterClusterTime" not in str(exc):
            raise
        raise Disconnected("The MongoDB that answers has fallen behind. Try again in a moment.") from exc


def _has_times(client: Any) -> bool:
    """Not if it was a replica set, and is a single server by now."""
    servers = client.topology_description.server_descriptions().values()
    return not any(server.server_type_name == "Standalone" for server in servers)
