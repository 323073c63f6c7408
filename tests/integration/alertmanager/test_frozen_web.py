"""A web process that stands still with a request, and wakes when its sender has told another one more."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection

from alerts_app.receiving.models import HeardAlert, Transition
from alerts_app.receiving.posting import IDLE_MS
from relaycore.receiving.hearing import TAKEN_WITHIN_SECONDS
from tests.integration.alertmanager.conftest import Api, Told
from tests.integration.alertmanager.test_posting import alert
from tests.integration.publishing.killed_web import Web

pytestmark = pytest.mark.django_db(transaction=True)

Wait = Callable[..., None]
Asked = Callable[[], "Future[tuple[int, Any]]"]

OPEN = {"RELAY_ALERTMANAGER": "open", "RELAY_ALERTMANAGER_GRACE_SECONDS": "0"}


@pytest.fixture
def freezes(relay_keys: Any) -> Iterator[Web]:
    """The process that is to freeze. It has taken something, so it is connected to everything."""
    web = Web(django_settings.SERVERS.redis_url, **OPEN)
    try:
        Api(web.url).well("POST", "/alerts", [alert("before", ends=3600)])
        yield web
    finally:
        web.stop()


@pytest.fixture
def fires(freezes: Web, in_thread: Any) -> Asked:
    """Its sender says to that process that an alert fires."""
    said = [alert("a", starts=-60, ends=3600)]
    return lambda: in_thread(lambda: Api(freezes.url).ask("POST", "/alerts", said))


def _said(told: Told) -> list[tuple[str, str]]:
    return [(one["status"], one["labels"]["alertname"]) for one in told()]


def _begins_and_ends(api: Api, wait_until: Wait) -> None:
    """The same is said to another process, and then that it is over."""
    for said in (alert("a", starts=-60, ends=3600), alert("a", starts=-60, ends=-1)):
        # Who waits for the row is late himself perhaps, and says it once more.
        wait_until(lambda said=said: api.ask("POST", "/alerts", [said])[0] == 200, seconds=60)


def _require_told_once(told: Told, api: Api, wait_until: Wait) -> None:
    """It began and ended, and nothing was told behind that."""
    api.well("POST", "/alerts", [alert("last", ends=3600)])
    wait_until(lambda: ("firing", "last") in _said(told), seconds=20)
    assert [one for one in _said(told) if one[1] == "a"] == [("firing", "a"), ("resolved", "a")]
    assert not HeardAlert.objects.get(labels__alertname="a").is_firing


@contextmanager
def _nobody_notes_anything() -> Iterator[None]:
    """Who has something to tell waits where he writes that: he has asked before, and has not written all."""
    with closing(connection.copy()) as other, other.cursor() as sql:
        other.set_autocommit(False)
        sql.execute("LOCK TABLE alert_transitions IN SHARE MODE")
        yield
        other.rollback()


_WAITING = """
SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE NOT granted AND relation = 'alert_transitions'::regclass AND query LIKE 'INSERT%'
"""
"""Whoever tells what stands there would delete."""


def _is_waited_for() -> bool:
    with connection.cursor() as sql:
        sql.execute(_WAITING)
        return bool(sql.fetchone()[0])


def test_what_it_had_asked_before_it_froze_it_asks_again(
    freezes: Web, fires: Asked, api: Api, told: Told, wait_until: Wait
) -> None:
    """Between asking whether the request is late, and writing what it says."""
    # Whoever tells that writes there as well, and would wait in place of the request.
    wait_until(lambda: not Transition.objects.exists(), seconds=20, what="all before it is told")
    with ExitStack() as frozen:
        with _nobody_notes_anything():
            asked = fires()
            wait_until(_is_waited_for)
            frozen.enter_context(freezes.frozen())
        began_at = time.monotonic()
        _begins_and_ends(api, wait_until)
        # It had the row, until PostgreSQL took that away.
        assert time.monotonic() - began_at > IDLE_MS / 1000 - 1
    status, why = asked.result(20)
    assert (status, "Say it again" in why) == (503, True)
    _require_told_once(told, api, wait_until)


def test_what_has_waited_for_it_is_not_taken_when_it_wakes(
    freezes: Web, fires: Asked, api: Api, told: Told, wait_until: Wait
) -> None:
    with freezes.frozen():
        began_at = time.monotonic()
        asked = fires()
        _begins_and_ends(api, wait_until)
        wait_until(
            lambda: time.monotonic() - began_at > TAKEN_WITHIN_SECONDS + 2,
            seconds=30,
            what="its sender has given up",
        )
    status, why = asked.result(20)
    assert (status, "Say it again" in why) == (503, True)
    _require_told_once(told, api, wait_until)
