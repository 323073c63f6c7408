"""A copy of MongoDB that lags, and a primary that has fallen behind: no page is older than it may be."""

import asyncio
import gc
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pymongo
import pytest
from bson import ObjectId, Timestamp
from django.db import connections
from pymongo.errors import PyMongoError

from leases_app import partitioning
from messages_app.models import Message
from messages_app.searching import archive as archive_to_follow
from messages_app.searching import previews
from messages_app.searching.following import Follower
from relaybase import connections as clients
from relaybase import keys
from relaycore.errors import Disconnected
from relaycore.following.places import Read
from relaycore.position import first_of
from relaycore.storing.expiring import NOTHING, Expired
from relaycore.storing.known import operation_time, operation_time_of
from relaystack.servers.mongo import Mongo
from subscribers_app.pulling import archive as deleted
from tests.chaos.servers import OwnServer
from tests.integration.writing.world import World, running

pytestmark = pytest.mark.django_db(databases=["default", "messages"])

Wait = Callable[..., None]

MESSAGES = "/api/v1/messages?channel=orders"
EXTRA = ("--replSet", "rs0", "--oplogSize", "64", "--setParameter", "enableTestCommands=1")


class ReplicaSet:
    """A primary, and a copy that has no vote: what the primary has, a majority has."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        servers = [OwnServer(Mongo, directory / f"mongo{n}", *EXTRA) for n in (0, 1)]
        for server in servers:
            stack.callback(server.kill)  # Told to stop, a member waits for others to take its place.
        self._hosts = [f"127.0.0.1:{server.port}" for server in servers]
        self.primary, self._copy = (
            stack.enter_context(pymongo.MongoClient(server.url, directConnection=True)) for server in servers
        )
        members = [
            {"_id": n, "host": host, "votes": 1 - n, "priority": 1 - n} for n, host in enumerate(self._hosts)
        ]
        soon = {"electionTimeoutMillis": 1000, "heartbeatIntervalMillis": 200}
        self.primary.admin.command("replSetInitiate", {"_id": "rs0", "members": members, "settings": soon})

    @property
    def url(self) -> str:
        """An address that prefers the copy."""
        return f"mongodb://{','.join(self._hosts)}/?replicaSet=rs0&readPreference=secondaryPreferred"

    def is_ready(self) -> bool:
        """Whether both are what they should be."""
        said = [client.admin.command("hello") for client in (self.primary, self._copy)]
        return bool(said[0]["isWritablePrimary"] and said[1].get("secondary"))

    def lag(self) -> None:
        """From now on the copy takes in nothing more."""
        self._copy.admin.command("configureFailPoint", "rsSyncApplyStop", mode="alwaysOn")

    def in_the_copy(self, database: str) -> int:
        """How many messages it has."""
        found = self._copy[database].get_collection(
            "messages", read_preference=pymongo.ReadPreference.SECONDARY_PREFERRED
        )
        return found.count_documents({})


@pytest.fixture(scope="module")
def replica_set(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReplicaSet]:
    """Two servers of these tests' own."""
    directory = tmp_path_factory.mktemp("replica-set")
    directory.chmod(0o755)
    with ExitStack() as stack:
        yield ReplicaSet(directory, stack)


@pytest.fixture
def archive(
    replica_set: ReplicaSet, messages_database: str, settings: Any, wait_until: Wait
) -> Iterator[Any]:
    """The messages there, from a client that asks nobody else; Relay's clients have the address above."""
    wait_until(replica_set.is_ready, seconds=30)
    settings.SERVERS = replace(settings.SERVERS, mongo_url=replica_set.url)
    address = _go_to(replica_set.url)
    messages = replica_set.primary[messages_database]["messages"]
    messages.create_index([("channel", 1), ("position", 1)], name="channel_position")
    for name in ("messages", "partitions", "quarantine"):
        replica_set.primary[messages_database][name].delete_many({})
    yield messages
    _go_to(address)


def _go_to(address: str) -> str:
    """Relay's clients are with this server from now on; where they were before."""
    clients._mongo_client().close()
    clients._mongo_client.cache_clear()
    connection: Any = connections["messages"]
    connection.ensure_connection()
    connection.close_pool()
    for other in gc.get_objects():  # Those of other threads know of no new client.
        if type(other) is type(connection) and other.alias == connection.alias:
            other.connection = None
            other.__dict__.pop("database", None)
    before, connection.settings_dict["HOST"] = connection.settings_dict["HOST"], address
    return str(before)


def _store(archive: Any, *numbers: int) -> None:
    archive.insert_many(
        {
            "_id": ObjectId(),
            "channel": "orders",
            "message": str(n),
            "received_at": datetime.now(UTC),
            "position": first_of(f"{n}-0"),
        }
        for n in numbers
    )


async def _counted_by_a_hot_endpoint() -> int:
    messages = clients.async_messages()
    try:
        return await messages.count_documents({})
    finally:
        await messages.database.client.close()


def test_who_prefers_a_copy_that_lags_is_shown_everything_all_the_same(
    api: Any, archive: Any, replica_set: ReplicaSet, relay_keys: Any, wait_until: Wait
) -> None:
    name = archive.database.name
    _store(archive, *range(20))
    wait_until(lambda: replica_set.in_the_copy(name) == 20)
    replica_set.lag()
    _store(archive, *range(20, 40))

    page = api.get(MESSAGES).json()
    relay_keys.hset(keys.last_at(0), "orders", 1)

    assert replica_set.in_the_copy(name) == 20, "the copy does not lag"
    assert [row["message"] for row in page["results"]] == [str(n) for n in range(39, -1, -1)]
    assert {message["message"] for message in previews.newest()} == {str(n) for n in range(40)}
    assert Message.objects.count() == 40
    assert asyncio.run(_counted_by_a_hot_endpoint()) == 40
    assert clients.mongo_collection("messages").count_documents({}) == 40


def test_the_writer_says_up_to_which_time_mongodb_has_acknowledged(
    api: Any, archive: Any, relay_keys: Any, wait_until: Wait
) -> None:
    world = World(relay_keys, archive, archive.database["quarantine"])
    world.append_each([f"text {n}" for n in range(5)])
    with running():
        wait_until(world.is_settled)

    (said,) = relay_keys.hmget(keys.appended(0), "operation_time")
    newest = archive.database["partitions"].database.client.admin.command("ping")["operationTime"]
    assert "0" * 21 < said.decode() <= operation_time(newest.time, newest.inc)
    assert len(api.get(MESSAGES).json()["results"]) == 5


def test_a_primary_that_has_fallen_behind_shows_nothing(api: Any, archive: Any, relay_keys: Any) -> None:
    _store(archive, 1)
    now = archive.database.client.admin.command("ping")["operationTime"]
    relay_keys.hset(keys.appended(0), "operation_time", operation_time(now.time + 3600, 1))

    answer = api.get(MESSAGES)

    assert answer.status_code == 503
    assert "MongoDB" in answer.json()["detail"]
    horizon = archive_to_follow.look(0, partitioning.layout())
    read = Read(frozenset({"orders"}), "", horizon.below, [], is_tail=True, limit=10)
    with pytest.raises(Disconnected):
        archive_to_follow.find(read, 0, horizon.operation_time)
    relay_keys.hset(keys.appended(0), "operation_time", operation_time(now.time, now.inc))
    assert len(api.get(MESSAGES).json()["results"]) == 1


def test_a_record_of_what_was_deleted_is_not_older_than_what_was_read(archive: Any, relay_keys: Any) -> None:
    _store(archive, 1)
    with Follower() as follower, follower.follow("orders", "") as feed:
        page = feed.take(10)
    assert page is not None
    assert len(page.messages) == 1

    async def expired(read_at: str) -> Expired:
        try:
            return await deleted.expired("orders", read_at)
        finally:
            await clients.async_messages().database.client.close()

    assert asyncio.run(expired(page.read_at)) == NOTHING
    seconds, increment = operation_time_of(page.read_at) or (0, 0)
    with pytest.raises(Disconnected):
        asyncio.run(expired(operation_time(seconds + 3600, increment)))


def test_a_primary_that_waits_for_what_it_lacks_shows_nothing_before(
    api: Any, archive: Any, relay_keys: Any
) -> None:
    _store(archive, 1)
    client = archive.database.client
    client.admin.command("configureFailPoint", "disableSnapshotting", mode="alwaysOn")
    try:
        _store(archive.with_options(write_concern=pymongo.WriteConcern(w=1)), 2)
        now = client.admin.command("ping")["operationTime"]
        relay_keys.hset(keys.appended(0), "operation_time", operation_time(now.time, now.inc))

        assert api.get(MESSAGES).status_code == 503
    finally:
        client.admin.command("configureFailPoint", "disableSnapshotting", mode="off")
    _store(archive, 3)  # What is written next has it notice.
    assert len(api.get(MESSAGES).json()["results"]) == 3


def test_a_server_that_was_a_replica_set_once_is_asked_without_times(
    monkeypatch: pytest.MonkeyPatch, api: Any, messages_database: str, relay_keys: Any
) -> None:
    relay_keys.hset(keys.appended(0), "operation_time", operation_time(1, 1))
    collection = clients.mongo_collection("messages")
    with collection.database.client.start_session() as session:
        session.advance_operation_time(Timestamp(1, 1))
        with pytest.raises(PyMongoError):
            collection.find_one({}, session=session)

    collection.insert_one(
        {"channel": "orders", "message": "a", "received_at": datetime.now(UTC), "position": "0"}
    )
    try:
        assert len(api.get(MESSAGES).json()["results"]) == 1
    finally:
        collection.delete_many({})
