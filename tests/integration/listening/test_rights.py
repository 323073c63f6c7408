"""Redis denies a right, or there is nothing to hear: it is said at once, and only what is not heard."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from channels_app.listening.listener import listen
from channels_app.models import Channel, Gap
from leases_app import deployment
from relaybase import keys
from tests.proxy import Proxy

from .world import DATA, Loop, Wait, is_active, is_led, lease, on_stream, publish, start, wake

pytestmark = pytest.mark.django_db(transaction=True)

USER, SECRET = "a-listener", "secret"
GRANTED = [f"orders/{number}" for number in range(37)]
SAID_SECONDS = 3

Grant = Callable[..., None]


@pytest.fixture
def grant(settings: Any, relay_keys: Any) -> Iterator[Grant]:
    """A user of Redis, as whom everything connects from now on; called with its rights, changes them."""

    def change(*rules: str) -> None:
        relay_keys.execute_command("ACL", "SETUSER", USER, *rules)

    parts = urlsplit(settings.SERVERS.redis_url)
    host = parts.netloc.rpartition("@")[2]
    url = parts._replace(netloc=f"{USER}:{SECRET}@{host}").geturl()
    change("reset", "on", f">{SECRET}", "~*", "+@all", "resetchannels", "&__relay:*", "&orders*")
    settings.SERVERS = replace(settings.SERVERS, redis_url=url)
    yield change
    relay_keys.execute_command("ACL", "DELUSER", USER)


def test_a_channel_that_redis_refuses_is_named_and_the_others_are_heard(
    quick: None, grant: Grant, listening: Loop, relay_keys: Any, wait_until: Wait, api: Any
) -> None:
    """They are asked for in one command, which is refused as a whole and names nobody."""
    for name in [*GRANTED[:18], "bills", *GRANTED[18:]]:
        Channel.objects.create(channel=name)
    wake(relay_keys)
    wait_until(lambda: all(map(is_active, GRANTED)), seconds=SAID_SECONDS, what="the others ACTIVE")
    wait_until(lambda: Channel.objects.get(channel="bills").refusal, seconds=SAID_SECONDS, what="said")
    row = api.get("/api/v1/channels/bills").json()
    assert row["subscription_status"] == "INACTIVE"
    assert "may not subscribe to it: NOPERM" in row["why_not_heard"]
    assert row["open_gap"]["cause"] == "refused"
    assert list(Channel.objects.exclude(refusal="").values_list("channel", flat=True)) == ["bills"]
    publish(relay_keys, GRANTED[-1], ["heard"])
    wait_until(lambda: on_stream(relay_keys) == ["heard"])
    assert not any(relay_keys.publish("bills", number) for number in range(8)), "somebody has heard it"

    grant("&bills")

    wait_until(lambda: is_active("bills"), seconds=2 * SAID_SECONDS, what="ACTIVE once granted")
    wait_until(lambda: not Gap.objects.filter(ended_at=None).exists(), what="its gap closed")
    bound = Gap.objects.get(channel="bills", cause=Gap.Cause.REFUSED).missed_at_most
    assert bound is not None
    assert 8 <= bound < 50
    assert Channel.objects.get(channel="bills").refusal == ""
    assert all(map(is_active, GRANTED))


def test_after_the_next_leader_has_begun_the_others_are_heard_as_well(
    quick: None, grant: Grant, relay_keys: Any, wait_until: Wait
) -> None:
    """A refused channel that is there already when a connection begins, among all the others."""
    for name in [*GRANTED[:18], "bills", *GRANTED[18:]]:
        Channel.objects.create(channel=name)
    loop = Loop(listen)
    try:
        wait_until(lambda: all(map(is_active, GRANTED)), seconds=5, what="the others ACTIVE")
        wait_until(lambda: Channel.objects.get(channel="bills").refusal, seconds=SAID_SECONDS, what="said")
        assert not is_active("bills")
    finally:
        loop.stop()


@pytest.mark.parametrize("right", ["-eval", "-@scripting", "-publish", "-incr"])
def test_what_a_leader_may_not_do_is_said_with_the_right_that_is_missing(
    right: str, quick: None, grant: Grant, listening: Loop, relay_keys: Any, wait_until: Wait
) -> None:
    start(relay_keys, "orders", wait_until)
    grant(right)
    wait_until(lambda: not is_active("orders"), seconds=SAID_SECONDS, what="INACTIVE")
    wait_until(lambda: lease().trouble, seconds=SAID_SECONDS, what="said")
    assert lease().trouble.startswith("Redis refuses the script that ticks")
    if right == "-eval":
        assert lease().trouble.endswith("Grant the user the 'eval' command.")
    wait_until(Gap.objects.filter(ended_at=None).exists, seconds=SAID_SECONDS, what="a gap")

    grant("+@all")

    wait_until(lambda: is_active("orders"), seconds=5, what="ACTIVE again")
    wait_until(lambda: lease().trouble == "", seconds=SAID_SECONDS, what="no trouble")
    wait_until(lambda: not Gap.objects.filter(ended_at=None).exists(), what="the gap closed")


def test_a_leader_that_may_not_subscribe_its_own_channels_says_so(
    quick: None, grant: Grant, relay_keys: Any, wait_until: Wait
) -> None:
    Channel.objects.create(channel="orders")
    grant("resetchannels", "&orders")
    loop = Loop(listen)
    try:
        wait_until(is_led)
        wait_until(lambda: "&__relay:*" in lease().trouble, seconds=SAID_SECONDS, what="said")
        assert not is_active("orders")
        assert not relay_keys.pubsub_numsub("orders")[0][1], "it would hear what it can not be proved to hear"
        grant("&__relay:*")
        wait_until(lambda: is_active("orders"), seconds=5, what="ACTIVE")
        wait_until(lambda: lease().trouble == "", seconds=SAID_SECONDS, what="no trouble")
    finally:
        loop.stop()


def test_a_fresh_leader_in_front_of_a_black_hole_says_that_it_hears_nothing(
    quick: None, redis_proxy: Proxy, relay_keys: Any, wait_until: Wait
) -> None:
    Channel.objects.create(channel="orders")
    with redis_proxy.hole(DATA):
        loop = Loop(listen)
        try:
            wait_until(is_led)
            wait_until(
                Gap.objects.filter(ended_at=None, cause=Gap.Cause.DEAF).exists,
                seconds=SAID_SECONDS,
                what="a gap",
            )
            assert is_led()
            assert lease().heard_at is None
            assert not is_active("orders")
            assert relay_keys.publish("orders", "into the hole") == 0
        except BaseException:
            loop.stop()
            raise
    try:
        wait_until(lambda: is_active("orders"), seconds=10, what="ACTIVE")
        wait_until(lambda: not Gap.objects.filter(ended_at=None).exists(), what="the gap closed")
        assert not Gap.objects.get().covered
    finally:
        loop.stop()


def test_a_leader_goes_on_when_redis_has_forgotten_everything(
    quick: None, listening: Loop, relay_keys: Any, wait_until: Wait
) -> None:
    start(relay_keys, "orders", wait_until, deduplicate="every")
    term, connection = lease().epoch, relay_keys.pubsub_numsub("orders")
    relay_keys.flushall()
    publish(relay_keys, "orders", ["same"] * 3)
    wait_until(lambda: on_stream(relay_keys) == ["same"] * 3, seconds=SAID_SECONDS)
    wait_until(lambda: is_active("orders"), seconds=SAID_SECONDS, what="ACTIVE")
    heard_at = lease().heard_at
    wait_until(lambda: lease().heard_at != heard_at, seconds=SAID_SECONDS, what="it goes on ticking")
    assert is_active("orders")
    assert (lease().epoch, relay_keys.pubsub_numsub("orders")) == (term, connection)
    assert not Gap.objects.filter(ended_at=None).exists()
    assert relay_keys.pubsub_numsub(deployment.tick_channel(0))[0][1] == 1


def test_after_that_a_new_standby_is_whole_since_policies_are_announced_again(
    quick: None, listening: Loop, relay_keys: Any, wait_until: Wait
) -> None:
    start(relay_keys, "orders", wait_until, deduplicate="every")
    relay_keys.flushall()
    wait_until(lambda: relay_keys.hgetall(keys.policies(0)) == {b"orders": b'"every"'}, seconds=SAID_SECONDS)
    standby = Loop(listen)
    try:
        wait_until(lambda: relay_keys.hlen(keys.standbys(0)) == 1, seconds=5, what="a proof")
    finally:
        standby.stop()


def test_when_redis_refuses_nearly_all_of_many_it_is_said_at_once_and_over_at_once(
    quick: None, grant: Grant, listening: Loop, relay_keys: Any, wait_until: Wait
) -> None:
    """Not one after the other: what is written late is of the past, and nothing is confirmed before it."""
    names = ["orders", *(f"orders/{number}" for number in range(2000))]
    Channel.objects.bulk_create(Channel(channel=name, partition=0) for name in names)
    wake(relay_keys)
    wait_until(lambda: Channel.objects.in_status("ACTIVE").count() == 2001, seconds=10, what="all ACTIVE")

    grant("resetchannels", "&__relay:*", "&orders")

    refused = Channel.objects.in_status("INACTIVE").filter(refusal__startswith="NOPERM")
    wait_until(lambda: refused.count() == 2000, seconds=2 * SAID_SECONDS, what="all but one refused")
    wait_until(lambda: is_active("orders"), seconds=SAID_SECONDS, what="the one that is left ACTIVE")
    assert Gap.objects.filter(cause=Gap.Cause.REFUSED, ended_at=None).count() == 2000

    grant("&*")

    heard = Channel.objects.in_status("ACTIVE").filter(refusal="")
    wait_until(lambda: heard.count() == 2001, seconds=2 * SAID_SECONDS, what="all ACTIVE again")
    wait_until(lambda: not Gap.objects.filter(ended_at=None).exists(), what="their gaps closed")
