"""Which deployment this is: on a Redis that others use, and with a secret that others have not."""

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import redis
from django.core.management import CommandError, call_command

from channels_app import registration
from channels_app.listening.listener import listen
from channels_app.models import Channel
from leases_app import deployment
from leases_app.heartbeat import Heartbeat
from leases_app.leasing import Contender
from leases_app.models import Deployment, Lease
from messages_app.searching import history
from relaybase import keys
from relaybase.connections import shared_redis
from relaycore.errors import Disconnected, UnfitServer
from relayproject import tasks
from relayproject.checks import check_servers
from tests.loops import Loop

pytestmark = pytest.mark.django_db(transaction=True)

OTHER = "f" * 32
SECRET, FOREIGN = "adopt-secret", "another deployment.*REDIS_URL.*adopt-redis"


@pytest.fixture
def quick(settings: Any) -> None:
    """Leases of which nobody needs to wait long until they lapse."""
    settings.RELAY_LEASE_TTL_SECONDS = 0.5


@pytest.fixture
def foreign(relay_keys: Any) -> Iterator[None]:
    """The Redis database of another deployment."""
    relay_keys.set(keys.DEPLOYMENT, OTHER)
    yield
    relay_keys.delete(keys.DEPLOYMENT)


def _manage(*command: str) -> str:
    out = io.StringIO()
    call_command(*command, stdout=out)
    return out.getvalue()


REFUSED = [
    *(tasks.propose, tasks.delete_all_expired, lambda: registration.start("orders")),
    *(lambda: history.read(history.Search("orders"), limit=1), deployment.require),
]


def _everything_is_refused(because: str) -> None:
    for refused in REFUSED:
        with pytest.raises(UnfitServer, match=because):
            refused()
    for command in ("listen", "write"):
        with pytest.raises(CommandError, match=because):
            call_command(command)
    assert not Lease.objects.exists()
    assert not Channel.objects.exists()


# --- the identity ------------------------------------------------------------------------


def test_the_first_who_asks_makes_it_and_nobody_else() -> None:
    Deployment.objects.all().delete()
    first = deployment.identity()
    assert len(first) == 32
    assert int(first, 16)
    assert deployment.identity() == first
    Deployment.objects.all().delete()
    assert deployment.identity() != first


def test_of_many_who_ask_at_once_one_makes_it(in_thread: Callable[..., Any]) -> None:
    Deployment.objects.all().delete()
    asked = [in_thread(deployment.identity) for _ in range(8)]
    assert len({future.result(10) for future in asked}) == 1


def test_it_stands_beside_the_stream_from_the_first_start_on(relay_keys: Any) -> None:
    assert deployment.beside_stream() is None
    deployment.require()
    assert deployment.beside_stream() == deployment.identity()
    deployment.require()


def test_channels_and_seals_differ_by_deployment_and_seals_by_partition() -> None:
    seals, channels = {deployment.seal_key(0), deployment.seal_key(1)}, {deployment.tick_channel(0)}
    Deployment.objects.update(identity=OTHER)
    seals |= {deployment.seal_key(0), deployment.seal_key(1)}
    channels |= {deployment.tick_channel(0)}
    assert (len(seals), len(channels)) == (4, 2)


# --- another Redis -----------------------------------------------------------------------


def test_a_redis_database_of_another_deployment_is_refused(
    foreign: None, archive: Any, settings: Any
) -> None:
    _everything_is_refused(FOREIGN)
    settings.RELAY_PARTITIONS = 2
    with pytest.raises(CommandError, match=FOREIGN):
        _manage("repartition")
    assert deployment.beside_stream() == OTHER


def test_it_is_said_where_an_operator_looks(foreign: None, client: Any, browser: Any, archive: Any) -> None:
    checks = {check["name"]: check for check in client.get("/readyz").json()["checks"]}
    assert "another deployment" in checks["Redis"]["detail"]
    assert "another deployment" in browser.get("/admin/").content.decode()
    assert "relay.redis.foreign" in [found.id for found in check_servers(["default"])]


def test_a_redis_that_takes_no_writes_and_is_nobodys_is_not_refused(relay_keys: Any) -> None:
    relay_keys.config_set("maxmemory", 1)
    try:
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            relay_keys.set("orchestrator_channel:probe", 1)
        deployment.require()
    finally:
        relay_keys.config_set("maxmemory", 0)


@pytest.mark.usefixtures("redis_away")
def test_while_redis_is_away_no_loop_starts_and_the_web_goes_on() -> None:
    with pytest.raises(Disconnected):
        deployment.require()
    for command in ("listen", "write"):
        with pytest.raises(CommandError, match="Redis cannot be asked"):
            call_command(command)
    deployment.require_unless_away()
    assert registration.start("orders")


def test_adopt_redis_takes_a_database_that_was_restored(foreign: None, quick: None) -> None:
    before = deployment.identity()
    assert "belongs to this deployment now" in _manage("adopt-redis")
    deployment.require()
    assert deployment.identity() == deployment.beside_stream()
    assert deployment.identity() not in {before, OTHER}


def test_a_copy_that_adopts_a_redis_is_another_deployment(relay_keys: Any, quick: None) -> None:
    deployment.require()
    before = deployment.identity()
    _manage("adopt-redis")
    deployment.require()
    assert deployment.identity() != before


def test_adopt_redis_is_nothing_for_somebody_with_another_secret(
    foreign: None, quick: None, settings: Any
) -> None:
    settings.SECRET_KEY = "another one"
    with pytest.raises(CommandError, match=SECRET):
        _manage("adopt-redis")
    assert deployment.beside_stream() == OTHER


def test_adopt_redis_takes_none_of_a_deployment_that_listens(
    foreign: None, quick: None, relay_keys: Any
) -> None:
    with relay_keys.pubsub() as other:
        other.subscribe(keys.control_channel(OTHER, 0))
        other.get_message(timeout=5)
        with pytest.raises(CommandError, match="it is alive"):
            _manage("adopt-redis")
    assert deployment.beside_stream() == OTHER


# --- another secret ----------------------------------------------------------------------


def test_another_secret_is_refused_until_it_is_adopted(
    settings: Any, quick: None, relay_keys: Any, archive: Any, client: Any, browser: Any
) -> None:
    deployment.require()
    settings.SECRET_KEY = "another one"

    _everything_is_refused(SECRET)
    checks = {check["name"]: check for check in client.get("/readyz").json()["checks"]}
    assert SECRET in checks["RELAY_SECRET_KEY"]["detail"]
    assert "relay.secret" in [found.id for found in check_servers(["default"])]

    assert "is recorded" in _manage("adopt-secret")
    deployment.require()
    assert "already" in _manage("adopt-secret")
    settings.SECRET_KEY = "only for tests"
    _everything_is_refused(SECRET)


@pytest.mark.parametrize("command", ["adopt-secret", "adopt-redis"])
def test_nothing_is_adopted_while_somebody_listens(
    command: str, settings: Any, quick: None, foreign: None
) -> None:
    settings.SECRET_KEY = "another one"
    # Where others need the core, a beat may come a second late, and whoever has lapsed listens no more.
    settings.RELAY_LEASE_TTL_SECONDS = 4.0
    seat = Contender().claim(Lease.Role.SEAT, 0)
    assert seat

    with Heartbeat(seat), pytest.raises(CommandError, match=r"Still running: seat of partition 0 \("):
        _manage(command)
    assert deployment.wrong_secret(deployment.recorded())
    assert deployment.beside_stream() == OTHER


def test_what_is_recorded_of_the_secret_shows_nothing_of_it(settings: Any) -> None:
    recorded = deployment.recorded().secret
    assert settings.SECRET_KEY not in recorded
    assert recorded != deployment.fingerprint(OTHER), "equal secrets of two deployments look equal"


# --- another deployment on the same Pub/Sub space ----------------------------------------


@pytest.fixture
def other_database(settings: Any) -> Iterator[redis.Redis]:
    """Database 1 of the same Redis."""
    own = settings.SERVERS
    settings.SERVERS = replace(own, redis_url=own.redis_url.removesuffix("/0") + "/1")
    shared_redis.cache_clear()
    yield shared_redis()
    shared_redis().flushdb()
    settings.SERVERS = own
    shared_redis.cache_clear()


def test_listeners_of_another_deployment_on_another_database_are_nobody(
    relay_keys: Any, other_database: Any, wait_until: Callable[..., None]
) -> None:
    other = relay_keys.pubsub()
    other.subscribe(keys.tick_channel(OTHER, 0), keys.control_channel(OTHER, 0))
    deployment.require()
    listener = Loop(lambda stopping: listen(0, stopping))
    try:
        channel = deployment.tick_channel(0)
        wait_until(lambda: relay_keys.pubsub_numsub(channel)[0][1] == 1, what="subscribed")
        ticks = other_database.get(keys.tick_counter(0)) or 0
        wait_until(lambda: int(other_database.get(keys.tick_counter(0)) or 0) > int(ticks) + 5)
        assert relay_keys.pubsub_numsub(channel)[0][1] == 1
        heard = [other.get_message(timeout=0.1) for _ in range(5)]
        assert {message["type"] for message in heard if message} == {"subscribe"}
    finally:
        listener.stop()
        other.close()
