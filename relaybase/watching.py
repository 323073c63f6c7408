"""Looks at the servers while everything runs: they can be made unfit after a start.

Who must not wait asks here. Each look is in a thread of its own, one at a time for each server, and begun by
whoever asks and finds the latest one too old: where nobody asks, nothing is looked at. So a heartbeat may
ask right before each beat, and a web process while it answers. Listeners look through their own connection
instead (`channels_app.listening.watching`), as that is the one that counts.

A server that does not answer a look is not called unfit by a loop: that it is away is said by whoever
asks it. Only a durable write that MongoDB owes, while it answers everything else, is a finding of its own.
"""

import functools
import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from relaybase import fitness, logs
from relaybase.connections import mongo_collection
from relaybase.mongo import shape
from relaycore.fitness import Finding

log = logging.getLogger(__name__)

EVERY_SECONDS: Final = 5.0

_LATE_SECONDS: Final = 2.5
"""A look that has taken so long is not waited for: it is not known how the server is."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look came to.

    findings: None if the server has not answered it
    why:      what it did instead, without addresses
    """

    findings: tuple[Finding, ...] | None = None
    why: str = "it was not looked at yet"


class Watch:
    """What speaks against one server, as of the latest look. Safe in threads."""

    def __init__(self, name: str, look: Callable[[], Iterable[Finding]]) -> None:
        self._name = name
        self._look = look
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._begun_at = float("-inf")
        self._seen = Seen()

    def glance(self) -> Seen:
        """What the latest look came to. Begins another one if it is time, and never waits."""
        thread = self._thread_of_now()
        return self._outcome(thread)

    def wait(self) -> Seen:
        """The same, but a look that is under way is waited for, `_LATE_SECONDS` at most."""
        thread = self._thread_of_now()
        thread.join(max(0.0, self._begun_at + _LATE_SECONDS - time.monotonic()))
        return self._outcome(thread)

    def _thread_of_now(self) -> threading.Thread:
        with self._lock:
            under_way = self._thread is not None and self._thread.is_alive()
            now = time.monotonic()
            if self._thread is None or (not under_way and now - self._begun_at >= EVERY_SECONDS):
                self._begun_at = now
                self._thread = logs.thread(self._run, f"look at {self._name}")
                self._thread.start()
            return self._thread

    def _outcome(self, thread: threading.Thread) -> Seen:
        taken = time.monotonic() - self._begun_at
        if thread.is_alive() and taken >= _LATE_SECONDS:
            return Seen(None, f"no answer for {taken:.0f} s")
        return self._seen

    def _run(self) -> None:
        try:
            self._seen = Seen(tuple(self._look()), "")
        except Exception as exc:
            # Away, as a rule. Not the text: it may have an address with a password in it.
            self._seen = Seen(None, type(exc).__name__)


class Soundness:
    """What a loop knows to speak against its servers. Warnings that are new are in its log.

    trouble: what is serious, and what to do about it; empty: nothing is
    """

    def __init__(self) -> None:
        self.trouble = ""
        self._warned_of: set[str] | None = None

    def learn(self, findings: Iterable[Finding]) -> None:
        """The servers were looked at. Of what the first look finds the start has warned already."""
        findings = tuple(findings)
        self.trouble = " ".join(finding.sentences for finding in findings if finding.serious)
        warnings = {finding.id: finding for finding in findings if not finding.serious}
        if self._warned_of is not None:
            for id in sorted(warnings.keys() - self._warned_of):
                log.warning("%s (%s)", warnings[id].sentences, id)
        self._warned_of = set(warnings)

    def forget(self) -> None:
        """The server is away: how it is is not known."""
        self.trouble = ""


def watch_mongo() -> Watch:
    """Look at MongoDB by durable writes. The client is that of a writer."""
    return Watch("MongoDB", lambda: fitness.mongo_findings(mongo_collection("messages")))


def watch_shape() -> Watch:
    """Look at the collections in MongoDB."""
    return Watch("collections", lambda: shape.findings(mongo_collection("messages").database))


@functools.lru_cache(maxsize=1)
def _shared_mongo() -> tuple[Watch, Watch]:
    """What all pages, probes and metrics of this process look through."""
    return watch_mongo(), watch_shape()


def mongo_findings_now() -> list[Finding]:
    """What speaks against a MongoDB that answers reads; at most `EVERY_SECONDS` old.

    Whoever looks at a page, a probe or a metric shares one look: each one writes durably.
    """
    seen = _shared_mongo()[0].wait()
    return _unproven(seen) if seen.findings is None else list(seen.findings)


def archive_findings_now() -> list[Finding]:
    """The same, and what speaks against the collections. One that does not answer is not asked twice."""
    durable, collections = _shared_mongo()
    seen = durable.wait()
    if seen.findings is None:
        return _unproven(seen)
    return [*seen.findings, *(collections.wait().findings or ())]


def _unproven(seen: Seen) -> list[Finding]:
    return [
        Finding(
            "relay.mongo.unproven",
            f"MongoDB does not confirm that a write is durable: {seen.why}.",
            "See whether a majority of its members is up, whether a disk is full, and whether it is locked.",
            serious=True,
        )
    ]
