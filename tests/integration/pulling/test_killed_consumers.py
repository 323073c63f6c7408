"""A consumer that is killed between fetch and commit loses nothing, if it commits after its work."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from relaycore.delivering.beginning import parse
from subscribers_app.seeking import seek
from tests.integration.pulling.conftest import Client
from tests.integration.pulling.traffic import Caller, Publishing, Receipt, Record, Threads, Work, seconds_of

pytestmark = pytest.mark.django_db(transaction=True)

Subscribe = Callable[..., str]

TIMES = 20


class Consumer:
    """The program `consumer`, one after another."""

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments
        self._process = self._start()

    def _start(self) -> "subprocess.Popen[str]":
        program = Path(__file__).with_name("consumer.py")
        argv = [sys.executable, "-E", "-S", str(program), *self._arguments]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)

    def kill_while_it_holds(self, *, again: bool = True) -> None:
        """SIGKILL while it has messages of which nobody knows, and start another one."""
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "held\n"
        self.stop()
        if again:
            self._process = self._start()

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()


def worked(record: Path) -> Iterator[dict[str, Any]]:
    """What is in the record; the last line may be half of one."""
    for line in record.read_text().splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def last_page(log: Path) -> set[str]:
    """What came last, all at once."""
    found = list(worked(log))
    return {one["message"] for one in found if one["received"] == found[-1]["received"]}


def consume_the_rest(
    client: Client,
    reader: str,
    mode: str,
    record: Record,
    wanted: set[str],
    wait_until: Any,
    quiet: float = 30.0,
) -> None:
    """Until these were received, or nothing has come for so long."""
    began = time.time()
    with Threads([Work(Caller(client.url, client.key), reader, mode, record, most=100).run]):

        def is_over() -> bool:
            last = record.receipts[-1].received if record.receipts else began
            return wanted <= record.texts() or time.time() - last > quiet

        # What somebody held when he was killed is due again after two seconds.
        wait_until(is_over, seconds=40)


@pytest.mark.parametrize("manner", ["careful", "careless"])
@pytest.mark.parametrize("mode", ["cursor", "lease"])
def test_killed_between_fetch_and_commit(
    client: Client,
    channel: str,
    subscribe: Subscribe,
    tmp_path: Path,
    wait_until: Any,
    mode: str,
    manner: str,
) -> None:
    reader = subscribe(mode, **({"ack_deadline_seconds": 1} if mode == "lease" else {}))
    log = tmp_path / "worked"
    publishing = Publishing(client, channel)
    address = f"{client.url}/api/v1/subscriptions/{reader}"
    with Threads([publishing.run]):
        consumer = Consumer(address, client.key, mode, manner, str(log))
        try:
            for left in reversed(range(TIMES if manner == "careful" else 3)):
                consumer.kill_while_it_holds(again=left > 0)
        finally:
            consumer.stop()

    record = Record()
    done = {one["message"] for one in worked(log)} if log.exists() else set()
    wanted, quiet = set(publishing.texts) - done, 30.0 if manner == "careful" else 1.5
    if manner == "careful":  # What the last one was killed with comes again, if only after its deadline.
        wanted |= last_page(log)
    consume_the_rest(client, reader, mode, record, wanted, wait_until, quiet)
    lost = set(publishing.texts) - done - record.texts()
    if manner == "careful":
        assert not lost
        assert len(publishing.texts) > 100
        given = len(list(worked(log))) + len(record.receipts)
        assert given > len(done | record.texts()), "nothing came again: was anybody killed?"
    else:
        assert lost, "a consumer that commits before it works loses what it was killed with"


def receipts(log: Path) -> list[Receipt]:
    return [
        Receipt(
            one["message"],
            one["position"],
            0.0,
            one["received"] / 1000,
            1,
            seconds_of(one["delivery"]["deadline_at"]),
            one["delivery"]["attempt"],
        )
        for one in worked(log)
    ]


def test_two_members_are_killed_and_what_they_held_comes_again_after_its_deadline(
    client: Client, channel: str, subscribe: Subscribe, tmp_path: Path, wait_until: Any
) -> None:
    reader = subscribe("lease", ack_deadline_seconds=1)
    publishing = Publishing(client, channel)
    address = f"{client.url}/api/v1/subscriptions/{reader}"
    logs = [tmp_path / f"member {number}" for number in (1, 2)]
    members = [Consumer(address, client.key, "lease", "careful", str(log)) for log in logs]
    record = Record()
    with Threads([publishing.run]):
        try:
            for index in range(TIMES // 2):
                members[index % 2].kill_while_it_holds(again=True)
                time.sleep(0.1)
        finally:
            for member in members:
                member.stop()
    for log in logs:
        record.receipts += receipts(log)
    consume_the_rest(client, reader, "lease", record, set(publishing.texts), wait_until)

    assert set(publishing.texts) == record.texts()
    assert not record.doubled()
    assert [one for one in record.receipts if one.attempt > 1], "nobody was killed with anything"


def test_the_check_for_doubles_notices_a_lease_that_somebody_has_ended(
    client: Client, channel: str, subscribe: Subscribe
) -> None:
    reader, record = subscribe("lease"), Record()
    client.publish(channel, "a")
    work = Work(Caller(client.url, client.key), reader, "lease", record, wait_seconds=0)
    work.once()
    seek(reader, parse("earliest"))
    work.once()
    work.caller.close()
    assert [one.text for one in record.receipts] == ["a", "a"]
    assert len(record.doubled()) == 1
