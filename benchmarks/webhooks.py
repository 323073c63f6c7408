"""(k) Webhooks: what one core of a sender delivers, how soon, and what ten thousand of them take.

Beside it, in the same run and to the same receiver, undici on Node.js and aiohttp on uvloop. They do the HTTP
part alone, signed: nothing is read from an archive, recorded, or tried again.
"""

import random
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks import hooks
from benchmarks.latency import FLOOR
from benchmarks.live import has_files
from benchmarks.load import Shape, make_load
from benchmarks.processes import family, memory_bytes
from benchmarks.progress import say
from benchmarks.pushing import Course, PeerSender, RelaySender, Sender, aiohttp, sender_cpu, undici
from benchmarks.receiver import Receiver, receiving
from benchmarks.relay import Relay
from benchmarks.results import Results
from benchmarks.speed import Speed
from tests.unit.webhooks_app.http.certificates import Authority

NETWORKS: Final = "127.0.0.0/8"

_PROBE: Final = Shape("hooked-", 1)
_AT_REST: Final = "hooks-at-rest"
_UNDICI, _AIOHTTP, _RELAY = "undici", "aiohttp", "Relay"
_MEBI: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured.

    plain, tls: endpoints, so many at once to each of them, and messages to each
    times:      how often each
    probes:     messages for a single endpoint, one after another
    hooks:      at rest
    seconds:    so long they rest; before that, connections that carry nothing are closed
    closing:    which takes so long
    """

    plain: tuple[tuple[int, int, int], ...] = ((1, 64, 40_000), (64, 1, 1000), (1000, 1, 60))
    tls: tuple[tuple[int, int, int], ...] = ((64, 1, 500),)
    times: int = 3
    probes: int = 200
    hooks: int = 10_000
    seconds: float = 20.0
    closing: float = 35.0


class Trust:
    """Files of a certificate for this machine, and of who has signed it."""

    def __init__(self, room: Path) -> None:
        self.authority, self.certificate, self.key = (
            room / f"{name}.pem" for name in ("authority", "certificate", "key")
        )

    def make(self) -> None:
        """Write them."""
        authority = Authority()
        issued = authority.issue("127.0.0.1")
        self.authority.write_text(authority.pem)
        self.certificate.write_text(issued.certificate)
        self.key.write_text(issued.key)

    @property
    def environment(self) -> Mapping[str, str]:
        """Of a Relay that sends here."""
        return {"RELAY_WEBHOOK_ALLOWED_NETWORKS": NETWORKS, "SSL_CERT_FILE": str(self.authority)}


def measure(relay: Relay, results: Results, effort: Effort, trust: Trust) -> None:
    """All of it. The Relay was started with the environment of `trust`."""
    with receiving(trust.certificate, trust.key) as receiver:
        for is_tls, courses in ((False, effort.plain), (True, effort.tls)):
            for endpoints, concurrency, messages in courses:
                course = Course(receiver.urls(endpoints, is_tls=is_tls), concurrency, messages)
                _side_by_side(relay, results, receiver, course, effort.times, trust)
        _how_soon(relay, results, receiver, effort.probes)
        if has_files(effort.hooks):
            _at_rest(relay, results, receiver, effort)
        else:
            results.skip(f"(k) {effort.hooks:,} webhooks", "so many files may not be open (ulimit -n)")


# --- for each core ---------------------------------------------------------------------------


def _side_by_side(
    relay: Relay, results: Results, receiver: Receiver, course: Course, times: int, trust: Trust
) -> None:
    """Each in turn, so many times; once before that does not count."""
    kind = "HTTPS" if course.urls[0].startswith("https") else "HTTP"
    after = f", {kind}, {len(course.urls):,} × {course.concurrency}"
    channel = f"hooks-{kind.lower()}-{len(course.urls)}".lower()
    with ExitStack() as cleanup:
        senders: dict[str, Sender] = {}
        for name, peer in ((_UNDICI, undici), (_AIOHTTP, aiohttp)):
            sender = cleanup.enter_context(peer(results, name + after, course, trust.authority))
            if sender is not None:
                senders[name] = sender
        senders[_RELAY] = RelaySender(relay, course, channel)
        for sender in senders.values():
            if isinstance(sender, PeerSender):  # Relay's has been warm since it was started.
                sender.send(receiver)
        found: dict[str, list[Speed]] = {name: [] for name in senders}
        for _ in range(times):
            for name, sender in senders.items():
                found[name].append(sender.send(receiver))
    _report(results, found, after)


def _report(results: Results, found: Mapping[str, Sequence[Speed]], after: str) -> None:
    for name, runs in found.items():
        per_core = median(run.per_core for run in runs)
        others = [other for other in (_UNDICI, _AIOHTTP) if other in found and other != name]
        beside = {
            f"beside_{other}": median(
                mine.per_core / its.per_core for mine, its in zip(runs, found[other], strict=True)
            )
            for other in others
        }
        results.add(
            "k",
            f"{name}{after}",
            per_core,
            "deliveries/s of a core",
            to=f"{_UNDICI}{after}",
            runs=[run.per_core for run in runs],
            per_second=[run.per_second for run in runs],
            **beside,
        )
        said = ", ".join(f"{ratio:.2f} × {other.removeprefix('beside_')}" for other, ratio in beside.items())
        say(f"{name}{after}: {per_core:,.0f}/s of a core {said}")


# --- how soon --------------------------------------------------------------------------------


def _how_soon(relay: Relay, results: Results, receiver: Receiver, probes: int) -> None:
    """From PUBLISH until an endpoint has it; in between it is stored."""
    taken = []
    with relay.listening(_PROBE):
        hooks.make(relay, _PROBE.names[0], receiver.urls(1), 8)
        for number in range(probes + 1):
            time.sleep(random.uniform(0.1, 0.3))
            receiver.expect(1)
            began = time.monotonic()
            relay.redis.publish(_PROBE.names[0], _PROBE.text(make_load(_PROBE, 1).first))
            came = receiver.wait()
            if number:  # The first one makes the sender learn that there is something to send.
                taken.append((came.at - began) * 1000)
        hooks.delete(relay)
    taken.sort()
    for percent in (50, 99):
        at = min(len(taken) - 1, len(taken) * percent // 100)
        results.add("k", f"PUBLISH to received, p{percent}", taken[at], "ms", to=FLOOR, of=len(taken))
    say(f"PUBLISH to received: p50 {median(taken):.1f} ms, worst {taken[-1]:.1f} ms of {len(taken)}")


# --- many of them ----------------------------------------------------------------------------


def _at_rest(relay: Relay, results: Results, receiver: Receiver, effort: Effort) -> None:
    """They begin with a message for each, rest, and are sent another one."""
    channel, count = f"{_AT_REST}-{effort.hooks}", effort.hooks
    after = f"{count:,} webhooks"
    relay.make_channel(channel)
    body = {"message": "first"}
    before_memory, before = _memory(relay), sender_cpu(relay)
    hooks.make(relay, channel, receiver.urls(count), 8)
    began = time.monotonic()
    for name, message in (("the first message to each", body), ("one more to each", {"message": "second"})):
        receiver.expect(count)
        path = f"/api/v1/channels/{channel}/messages?confirm=stored"
        began = time.monotonic()
        relay.stack.http.post(path, json=message).raise_for_status()
        came = receiver.wait()
        time.sleep(1.0)  # What has been sent is recorded.
        used = sender_cpu(relay) - before
        results.add("k", f"{after}, {name}", came.at - began, "s", repeated=came.repeated, cpu_seconds=used)
        say(f"{after}, {name}: {came.at - began:.1f} s, {used:.1f} s of CPU")
        time.sleep(effort.closing)
        before, since = sender_cpu(relay), time.monotonic()
        time.sleep(effort.seconds)
        share = (sender_cpu(relay) - before) / (time.monotonic() - since) * 100
        memory = (_memory(relay) - before_memory) / _MEBI
        before = sender_cpu(relay)
    results.add("k", f"{after} at rest, CPU of the sender", share, "% of a core")
    results.add("k", f"{after} at rest, memory of the sender", memory, "MiB more than without")
    say(f"{after} at rest: {share:.1f} % of a core, {memory:.0f} MiB")
    hooks.delete(relay)


def _memory(relay: Relay) -> int:
    return memory_bytes({"sender": family(relay.stack.pids["senders"])})["sender"]
