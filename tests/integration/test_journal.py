"""The last warnings and errors, kept for the home page."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from relaybase import journal, keys
from relaybase.connections import redis_client


@pytest.fixture
def log(relay_keys: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[logging.Logger]:
    monkeypatch.setattr(journal, "_PAUSE_SECONDS", 0.01)
    logger = logging.Logger("test")
    assert not any(isinstance(one, journal.Handler) for one in logging.getLogger().handlers), "it writes too"
    logger.addHandler(journal.Handler())
    yield logger
    relay_keys.delete(keys.JOURNAL)


def texts() -> list[str]:
    return [line.text for line in journal.last(200)]


def test_the_newest_line_comes_first(log: logging.Logger, wait_until: Callable[..., None]) -> None:
    log.warning("one\n  %s", "line")
    log.error("two")
    log.info("not this one")

    wait_until(lambda: texts() == ["two", "one line"])

    first = journal.last(1)[0]
    assert (first.level, first.where.split()[-1]) == ("ERROR", "test")


def test_a_hundred_lines_are_kept(log: logging.Logger, wait_until: Callable[..., None]) -> None:
    for n in range(250):
        log.warning("line %d", n)
        if n % 50 == 49:
            wait_until(lambda n=n: texts()[:1] == [f"line {n}"])

    assert texts() == [f"line {n}" for n in reversed(range(150, 250))]


def test_lines_wait_while_redis_is_away(
    log: logging.Logger, wait_until: Callable[..., None], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = settings.SERVERS
    settings.SERVERS = replace(there, redis_url="redis://127.0.0.1:1/0")
    clients = []

    def counted() -> Any:
        clients.append(redis_client())
        return clients[-1]

    monkeypatch.setattr(journal, "redis_client", counted)
    log.warning("Redis is away")
    wait_until(lambda: len(clients) > 2)
    assert texts() == []
    settings.SERVERS = there

    wait_until(lambda: texts() == ["Redis is away"])


def test_the_mistakes_of_clients_are_not_errors_here(
    log: logging.Logger, wait_until: Callable[..., None]
) -> None:
    log.name = "django.request"
    log.warning("Not Found: /nothing")
    log.error("Internal Server Error: /something")

    wait_until(lambda: texts() == ["Internal Server Error: /something"])


@pytest.mark.django_db(transaction=True, databases=["default", "messages"])
@pytest.mark.parametrize("probe", ["/readyz", "/readyz/"])
def test_that_relay_is_not_ready_is_no_news_each_time_that_it_is_asked(
    log: logging.Logger, client: Client, wait_until: Callable[..., None], probe: str
) -> None:
    requests = logging.getLogger("django.request")
    requests.addHandler(log.handlers[-1])
    try:
        assert client.get(probe).status_code == 503
        assert client.get("/healthz").status_code == 200
    finally:
        requests.removeHandler(log.handlers[-1])
    log.error("something else")

    wait_until(lambda: texts() == ["something else"])
