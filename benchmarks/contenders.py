"""(f) What others reach on the same work, beside Relay in the same run: the programs in `peers/`.

Each gets the same load through the same Redis and stores into the same MongoDB, in a collection with a unique
index on (channel, message). They write with MongoDB's default write concern, and have no stream: what they
have read is gone when they are killed.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pymongo

from benchmarks.load import Shape, make_load
from benchmarks.processes import Groups, end, family
from benchmarks.progress import say
from benchmarks.rates import STEADY, report, report_bursts
from benchmarks.relay import Relay
from benchmarks.results import Results
from benchmarks.steady import Effort, highest_rate
from benchmarks.target import HEARD_SECONDS, Target, WrongResult

PEERS = Path(__file__).parent / "peers"
NODE = "Node.js, node-redis"
PROGRAMS: dict[str, tuple[tuple[str, ...], ...]] = {
    NODE: (("node", "node_batch.mjs", "redis"),),
    "Node.js, ioredis": (("node", "node_batch.mjs", "ioredis"),),
    "Python, batched": ((sys.executable, "py_batch.py"),),
    "one Celery task per message": (
        (sys.executable, "-m", "celery", "-A", "celery_tasks", "worker", "--loglevel", "WARNING"),
        (sys.executable, "celery_sub.py"),
    ),
}


class Program:
    """One program of `peers/`, which runs until `end`."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.command = command
        self._environment = environment
        self.process = self._start()

    def start_again(self) -> None:
        """If it has ended by itself."""
        if self.process.poll() is not None:
            say(f"{self.command[-1]} has ended; it is started again")
            self.process = self._start()

    def end(self) -> None:
        """With all its children."""
        end(family(self.process.pid))
        self.process.wait()

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(self.command, cwd=PEERS, env=self._environment)


class Peer(Target):
    """Programs of `peers/` that do together what Relay does."""

    def __init__(self, name: str, relay: Relay, running: Sequence[Program]) -> None:
        client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(relay.stack.info["mongo_url"])
        super().__init__(name, client["peers"]["messages"], relay.redis)
        self._servers = {server: relay.stack.pids[server] for server in ("redis", "mongo")}
        self._running = running

    def processes(self) -> Groups:
        """The programs themselves, and the servers."""
        own = [process for program in self._running for process in family(program.process.pid)]
        return {"itself": own} | {name: family(pid) for name, pid in self._servers.items()}

    def tend(self) -> None:
        """Start again what has ended, as a supervisor would: Redis cuts off whoever reads too slowly."""
        for program in self._running:
            program.start_again()

    def warm_up(self, shape: Shape) -> None:
        """Wait until a first message is stored: hearing it does not mean that the rest of it is ready."""
        deadline = time.monotonic() + HEARD_SECONDS
        load = make_load(shape, 1)
        self.redis.publish(shape.channel(load.first), shape.text(load.first))
        while self.stored() == 0:
            ended = [program.command for program in self._running if program.process.poll() is not None]
            if ended or time.monotonic() > deadline:
                raise WrongResult(f"{self.name} does not work. Ended: {ended}")
            time.sleep(0.05)


def measure(relay: Relay, results: Results, effort: Effort, words: Sequence[str] = ("",)) -> None:
    """All that can be run here and have one of the words in their names."""
    # Bursts are rarer: whoever loses some of the first loses some of each.
    effort = replace(effort, bursts=min(effort.bursts, 3))
    for name, commands in PROGRAMS.items():
        if not any(word in name for word in words):
            continue
        missing = _missing(commands)
        if missing:
            say(f"{name}: skipped, {missing}")
            results.skip(f"(f) {name}", missing)
            continue
        shape = Shape(f"peer{list(PROGRAMS).index(name)}-")
        try:
            with _started(name, commands, relay, shape) as peer:
                report(peer, results, "f", f"{name}, steady", highest_rate(peer, shape, effort), to=STEADY)
                report_bursts(peer, results, "f", shape, effort)
                peer.collection.drop()
        except WrongResult as exc:  # Half an hour of other figures need not go with it.
            say(f"{name}: {exc}")
            results.skip(f"(f) the rest of {name}", str(exc))


def _missing(commands: Sequence[Sequence[str]]) -> str:
    """Why it cannot be run, or nothing."""
    if commands[0][0] != "node":
        return ""
    if shutil.which("node") is None:
        return "Node.js is not installed"
    if not (PEERS / "node_modules").is_dir():
        return "its packages are not installed: run `npm install` in benchmarks/peers"
    return ""


@contextmanager
def _started(name: str, commands: Sequence[Sequence[str]], relay: Relay, shape: Shape) -> Iterator[Peer]:
    # Celery would take up Django, and with it Relay, if it were told of it.
    environment = {
        **{key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"},
        "REDIS_URL": relay.stack.info["redis_url"],
        "BROKER_URL": relay.stack.info["redis_url"].removesuffix("0") + "1",
        "MONGO_URL": relay.stack.info["mongo_url"],
        "CHANNELS": ",".join(shape.names),
        "PYTHONWARNINGS": "ignore",
    }
    with ExitStack() as cleanup:
        running = []
        for command in commands:
            running.append(Program(command, environment))
            cleanup.callback(running[-1].end)
        peer = cleanup.enter_context(closing(Peer(name, relay, running)))
        peer.collection.drop()
        peer.collection.create_index([("channel", 1), ("message", 1)], unique=True)
        peer.wait_until_heard(shape)
        peer.warm_up(shape)
        yield peer
