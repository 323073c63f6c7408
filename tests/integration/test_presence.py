"""How many watch a channel: all processes say it, and one that says nothing more is forgotten."""

import asyncio
import os
from collections.abc import Iterator, Mapping
from typing import Any
from unittest import mock

import pytest

from channels_app.registration import start
from relaybase import keys
from relaybase.connections import async_redis
from relaybase.redis import presence

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nobody(relay_keys: Any) -> Iterator[None]:
    yield
    relay_keys.delete(keys.WATCHING, *relay_keys.lrange(keys.WATCHING, 0, -1))


def say(process: int, present: Mapping[str, int]) -> None:
    async def in_a_loop() -> None:
        client = async_redis()
        await presence.say(client, present)
        await client.aclose()

    with mock.patch.object(os, "getpid", return_value=process):
        asyncio.run(in_a_loop())


def test_what_all_processes_say_is_added_up(api: Any, relay_keys: Any) -> None:
    start("orders")
    start("größe/1")
    start("silent")
    say(1, {"orders": 2, "größe/1": 1})
    say(2, {"orders": 40})
    rows = api.get("/api/v1/channels").json()["results"]
    assert {row["channel"]: row["watching"] for row in rows} == {"orders": 42, "größe/1": 1, "silent": 0}

    say(2, {"silent": 1})
    rows = api.get("/api/v1/channels").json()["results"]
    assert {row["channel"]: row["watching"] for row in rows} == {"orders": 2, "größe/1": 1, "silent": 1}
    say(1, {})
    assert api.get("/api/v1/channels/orders").json()["watching"] == 0


def test_a_process_that_has_died_is_forgotten(relay_keys: Any, wait_until: Any) -> None:
    with mock.patch.object(presence, "FORGET_SECONDS", 1):
        say(1, {"orders": 3})
    assert presence.watchers(relay_keys, ["orders"]) == [3]
    wait_until(lambda: presence.watchers(relay_keys, ["orders"]) == [0], seconds=3)


def test_those_that_were_here_long_ago_are_not_asked(relay_keys: Any) -> None:
    with mock.patch.object(presence, "_MOST_NAMED", 3):
        for process in (1, 2, 3, 3, 2):
            say(process, {"orders": process})
    assert [name.rpartition(b":")[2] for name in relay_keys.lrange(keys.WATCHING, 0, -1)] == [
        b"2",
        b"3",
        b"3",
    ]
    assert presence.watchers(relay_keys, ["orders"]) == [5]


def test_nothing_is_asked_for_no_channel(relay_keys: Any) -> None:
    say(1, {"orders": 1})
    assert presence.watchers(relay_keys, []) == []
