"""Looks beside the work: who asks never waits, and what is old or late is not believed."""

import logging
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from relaybase import watching
from relaybase.watching import Seen, Soundness, Watch
from relaycore.fitness import Finding

SERIOUS = Finding("relay.redis.eviction", "It evicts.", "Set it.", serious=True)
WARNING = Finding("relay.redis.aof", "No file.", "Set it.")

Wait = Callable[..., None]


class Server:
    """Answers looks while it is not held up."""

    def __init__(self) -> None:
        self.findings: tuple[Finding, ...] = ()
        self.looks = 0
        self.answers = threading.Event()
        self.answers.set()

    def look(self) -> Iterator[Finding]:
        self.looks += 1
        self.answers.wait(10)
        return iter(self.findings)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.answers.set()


@pytest.fixture
def watch(server: Server) -> Watch:
    return Watch("Redis", server.look)


def test_one_look_serves_all_who_ask_within_five_seconds(server: Server, watch: Watch) -> None:
    server.findings = (SERIOUS,)
    assert [watch.wait() for _ in range(10)] == [Seen((SERIOUS,), "")] * 10
    assert watch.glance() == Seen((SERIOUS,), "")
    assert server.looks == 1


def test_a_glance_waits_for_nobody_and_brings_what_was_seen_before(
    server: Server, watch: Watch, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch.wait()
    monkeypatch.setattr(watching, "EVERY_SECONDS", 0.0)
    server.findings = (WARNING,)
    server.answers.clear()
    began = time.monotonic()
    assert watch.glance() == Seen((), "")
    assert watch.glance() == Seen((), "")
    assert time.monotonic() - began < 0.5
    assert server.looks == 2, "one at a time"
    server.answers.set()
    wait_until(lambda: watch.glance() == Seen((WARNING,), ""), what="seen")


def test_a_look_that_takes_too_long_tells_nothing(
    server: Server, watch: Watch, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch.wait()
    monkeypatch.setattr(watching, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(watching, "_LATE_SECONDS", 0.1)
    server.answers.clear()
    seen = watch.wait()
    assert seen.findings is None, "what was sound before may be so no more"
    assert "no answer" in seen.why
    assert watch.glance().findings is None
    server.answers.set()
    wait_until(lambda: watch.wait().findings == (), what="known again")


def test_what_a_driver_says_of_addresses_is_not_passed_on() -> None:
    def away() -> list[Finding]:
        raise ConnectionError("redis://user:secret@host")

    assert Watch("Redis", away).wait() == Seen(None, "ConnectionError")


def test_what_is_serious_is_trouble_until_it_is_mended_or_not_known() -> None:
    soundness = Soundness()
    soundness.learn([SERIOUS, WARNING])
    assert soundness.trouble == "It evicts. Set it."
    soundness.learn([WARNING])
    assert soundness.trouble == ""
    soundness.learn([SERIOUS])
    soundness.forget()
    assert soundness.trouble == ""


def test_a_warning_is_logged_once_and_not_if_the_start_has_done_so(caplog: pytest.LogCaptureFixture) -> None:
    soundness = Soundness()
    with caplog.at_level(logging.WARNING):
        soundness.learn([WARNING])
        assert not caplog.records
        soundness.learn([])
        for _ in range(3):
            soundness.learn([WARNING])
    assert [record.getMessage() for record in caplog.records] == ["No file. Set it. (relay.redis.aof)"]
