"""What an operator changes holds from the answer on, in each web process, also for whoever waits."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest

from access_app.models import AuditEntry
from relaycore.position import START
from subscribers_app import registration
from subscribers_app.models import Delivery, Subscription
from tests.integration.pulling.conftest import Client

pytestmark = pytest.mark.django_db(transaction=True)

Subscribe = Callable[..., str]

OLD, NEW = {"kind": ["old"]}, {"kind": ["new"]}

DEADLINES = (600, 30, 60)


def test_what_one_has_handed_out_settles_nothing_of_another(client: Client, channel: str) -> None:
    """Of another one of the same channel, and of one that is made anew under its name."""

    def make(name: str, mode: str) -> None:
        body = {"name": name, "channel": channel, "kind": "pull", "mode": mode, "start": "earliest"}
        client.post("subscriptions", body, 201)

    client.publish(channel, "one", "two")
    for name in (f"{channel}-a", f"{channel}-b"):
        make(name, "lease")
    tokens = [one["delivery"]["token"] for one in client.fetch(f"{channel}-a")["messages"]]
    assert len(client.fetch(f"{channel}-b")["messages"]) == 2
    assert client.settle("ack", f"{channel}-b", tokens) == [False, False]
    registration.delete(f"{channel}-a")
    make(f"{channel}-a", "lease")
    assert len(client.fetch(f"{channel}-a")["messages"]) == 2
    assert client.settle("ack", f"{channel}-a", tokens) == [False, False]

    make(f"{channel}-c", "cursor")
    seen = client.fetch(f"{channel}-c")
    registration.delete(f"{channel}-c")
    make(f"{channel}-c", "cursor")
    client.fetch(f"{channel}-c")
    said = {"position": seen["position"], "generation": seen["generation"]}
    client.post(f"subscriptions/{channel}-c/commit", said, 409)


def of_kind(kind: str, number: int = 0) -> str:
    return f'{{"kind": "{kind}", "number": {number}}}'


@pytest.fixture(scope="module")
def elsewhere(serve: Callable[..., str]) -> str:
    """Another web process: what is changed there is news here."""
    return serve(RELAY_WEB_REQUESTS_PER_MINUTE="0")


@pytest.fixture(params=["here", "elsewhere"])
def operator_at(request: Any, client: Client, elsewhere: str) -> Client:
    """Who changes it: at the web process where it is read, or at another one."""
    return client if request.param == "here" else Client(elsewhere, client.key)


def change(operator: Client, reader: str, **settings: Any) -> None:
    operator.ask("PATCH", f"subscriptions/{reader}", settings)


def texts(fetched: Any) -> list[str]:
    return [one["message"] for one in fetched["messages"]]


def settle(client: Client, reader: str, mode: str, fetched: Any) -> None:
    """All of it is done."""
    if mode == "cursor":
        said = {name: fetched[name] for name in ("position", "generation")}
        client.post(f"subscriptions/{reader}/commit", said)
    else:
        tokens = [one["delivery"]["token"] for one in fetched["messages"]]
        assert all(client.settle("ack", reader, tokens))


@pytest.mark.parametrize("mode", ["cursor", "lease"])
def test_whoever_waits_is_given_by_another_filter(
    client: Client, operator_at: Client, channel: str, subscribe: Subscribe, mode: str
) -> None:
    reader = subscribe(mode, filter=OLD)
    (passed,) = client.publish(channel, of_kind("new", 1))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.fetch, reader, wait_seconds=20)
        time.sleep(1.5)  # It has looked at the first one, and it was not for this reader.
        change(operator_at, reader, filter=NEW)
        taken, left = client.publish(channel, of_kind("new", 2), of_kind("old", 3))
        fetched = waiting.result()
    found = list(fetched["messages"])
    stood = AuditEntry.objects.get(action="subscription changed").details["from_position"]
    if mode == "cursor":
        # It was looked at, and nobody has committed it: it is above the cursor, and for this reader now.
        assert stood == START
        assert fetched["generation"] == 2
        settle(client, reader, mode, fetched)
        while (fetched := client.fetch(reader, wait_seconds=2))["messages"]:
            found += fetched["messages"]
            settle(client, reader, mode, fetched)
        assert [one["position"] for one in found] == [passed, taken]
    else:
        assert stood == passed
        assert [one["position"] for one in found] == [taken]
        settle(client, reader, mode, fetched)
        assert not Delivery.objects.exists()
    assert texts(client.fetch(reader)) == []
    # What follows comes as well, and the one before it is done: no hole, and nothing once more.
    client.publish(channel, of_kind("old", 4), of_kind("new", 5))
    last = client.fetch(reader, wait_seconds=5)
    assert texts(last) == [of_kind("new", 5)]
    settle(client, reader, mode, last)
    assert Subscription.objects.get(name=reader).position > left


@pytest.mark.parametrize("mode", ["cursor", "lease"])
def test_what_is_stored_after_a_filter_was_changed_is_chosen_by_it_at_once(
    client: Client, operator_at: Client, channel: str, subscribe: Subscribe, mode: str
) -> None:
    """Again and again, so that what is remembered of the settings is of each age."""
    reader = subscribe(mode, filter=OLD)
    assert texts(client.fetch(reader)) == []
    for number in range(8):
        kinds = ("new", "old") if number % 2 == 0 else ("old", "new")
        change(operator_at, reader, filter={"kind": [kinds[0]]})
        client.publish(channel, *(of_kind(kind, number) for kind in kinds))
        fetched = client.fetch(reader)
        # By now they are all done, but for what the filter before has not taken.
        assert texts(fetched) == [of_kind(kinds[0], number)]
        settle(client, reader, mode, fetched)
        time.sleep(0.17)
    assert not Delivery.objects.exists()


def test_nothing_that_was_fetched_by_another_filter_is_committed(
    client: Client, operator_at: Client, channel: str, subscribe: Subscribe
) -> None:
    reader = subscribe("cursor", filter=OLD)
    client.publish(channel, of_kind("new", 1), of_kind("old", 2), of_kind("new", 3))
    before = client.fetch(reader)
    assert texts(before) == [of_kind("old", 2)]
    change(operator_at, reader, filter=NEW)
    # It would pass over what this filter takes, and nobody was given.
    for said in ({"position": before["position"], "generation": 1}, {"position": before["position"]}):
        answer = client.post(f"subscriptions/{reader}/commit", said, 409)
        assert (answer["type"].rpartition(":")[2], answer["position"], answer["generation"]) == (
            "cursor-moved",
            START,
            2,
        )
    assert texts(client.fetch(reader)) == [of_kind("new", 1), of_kind("new", 3)]


@pytest.mark.parametrize("mode", ["cursor", "lease"])
def test_whoever_waits_for_a_delay_to_pass_is_given_by_another_one(
    client: Client, operator_at: Client, channel: str, subscribe: Subscribe, mode: str
) -> None:
    reader = subscribe(mode, delay_seconds=3600)
    client.publish(channel, "a")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.fetch, reader, wait_seconds=20)
        time.sleep(1)
        change(operator_at, reader, delay_seconds=0)
        began = time.monotonic()
        fetched = waiting.result()
    assert time.monotonic() - began < 4
    assert texts(fetched) == ["a"]
    settle(client, reader, mode, fetched)

    change(operator_at, reader, delay_seconds=2)
    (position,) = client.publish(channel, "b")
    assert client.texts(reader) == []
    fetched = client.fetch(reader, wait_seconds=10)
    assert texts(fetched) == ["b"]
    assert time.time() >= int(position[:13]) / 1000 + 2


class Fetching:
    """Programs that fetch, a message at a time.

    They say that it is done in the end: a web process that settles by older settings than there are learns
    the newer ones, and those who fetch are to do without.
    """

    def __init__(self, client: Client, reader: str) -> None:
        self.receipts: list[tuple[float, float, Any]] = []
        """When it was asked and answered, and the message."""
        self._client, self._reader = client, reader
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(4)
        self._threads = [self._pool.submit(self._run) for _ in range(4)]

    def _run(self) -> None:
        while not self._stopping.is_set():
            asked = time.time()
            fetched = self._client.fetch(self._reader, max=1, wait_seconds=1)
            self.receipts += [(asked, time.time(), one) for one in fetched["messages"]]

    def wait_for(self, count: int, wait_until: Any) -> None:
        """Until they have got so many in all."""
        wait_until(lambda: len(self.receipts) >= count, seconds=20)

    def end(self) -> None:
        """Let nobody fetch any more."""
        self._stopping.set()
        self._pool.shutdown()

    def finish(self) -> None:
        """Say that all of it is done. Raises what went wrong in one of them."""
        self.end()
        for thread in self._threads:
            thread.result()
        settle(self._client, self._reader, "lease", {"messages": [one for _, _, one in self.receipts]})


@pytest.fixture
def fetching(client: Client, subscribe: Subscribe) -> Iterator[Callable[..., tuple[str, Fetching]]]:
    """Begins to fetch of a subscription that is made for it."""
    begun: list[Fetching] = []

    def begin(**settings: Any) -> tuple[str, Fetching]:
        reader = subscribe("lease", **settings)
        begun.append(Fetching(client, reader))
        return reader, begun[-1]

    yield begin
    for one in begun:
        one.end()


def test_a_deadline_that_is_changed_while_many_fetch_is_that_of_whoever_asks_then(
    client: Client,
    operator_at: Client,
    channel: str,
    fetching: Callable[..., tuple[str, Fetching]],
    wait_until: Any,
) -> None:
    reader, programs = fetching(ack_deadline_seconds=DEADLINES[-1])
    holds: list[tuple[float, float, int]] = []  # From when, until when, which deadline.
    published: list[str] = []
    for seconds in DEADLINES * 2:
        change(operator_at, reader, ack_deadline_seconds=seconds)
        since = time.time()
        batch = [f"{len(holds)} {number}" for number in range(20)]
        client.publish(channel, *batch)
        published += batch
        programs.wait_for(len(published), wait_until)
        holds.append((since, time.time(), seconds))
    programs.finish()
    assert sorted(message["message"] for _, _, message in programs.receipts) == sorted(published)

    checked = dict.fromkeys(DEADLINES, 0)
    for asked, answered, message in programs.receipts:
        assert message["delivery"]["attempt"] == 1
        deadline = datetime.fromisoformat(message["delivery"]["deadline_at"]).timestamp()
        for since, until, seconds in holds:
            if since <= asked and answered <= until:
                # It begins between the two, of which PostgreSQL knows whole milliseconds.
                assert asked - 0.001 <= deadline - seconds <= answered
                checked[seconds] += 1
    assert min(checked.values()) > 0, "nobody asked while this one held"


def test_an_order_that_is_changed_holds_for_what_was_read_ahead(
    client: Client, operator_at: Client, channel: str, subscribe: Subscribe
) -> None:
    reader = subscribe("lease", ack_deadline_seconds=600)
    client.publish(channel, "a", "b", "c")
    held = client.fetch(reader, max=1)
    change(operator_at, reader, order="channel")
    assert client.texts(reader) == []
    settle(client, reader, "lease", held)
    assert client.texts(reader) == ["b"]
    change(operator_at, reader, order="none")
    assert client.texts(reader) == ["c"]


def test_a_deadline_that_is_made_short_is_over_when_it_says(
    client: Client, operator_at: Client, channel: str, subscribe: Subscribe
) -> None:
    reader = subscribe("lease", ack_deadline_seconds=600)
    client.publish(channel, "a", "b")
    held = client.fetch(reader, max=1)
    change(operator_at, reader, ack_deadline_seconds=1)
    assert texts(client.fetch(reader, max=1)) == ["b"]
    began = time.monotonic()
    again = client.fetch(reader, wait_seconds=10)
    assert time.monotonic() - began < 6
    assert (texts(again), again["messages"][0]["delivery"]["attempt"]) == (["b"], 2)
    # Whoever had something before has it for as long as he was told.
    assert client.settle("ack", reader, [held["messages"][0]["delivery"]["token"]]) == [True]


def test_a_delay_that_is_changed_while_many_fetch_is_kept(
    client: Client,
    operator_at: Client,
    channel: str,
    fetching: Callable[..., tuple[str, Fetching]],
    wait_until: Any,
) -> None:
    reader, programs = fetching(delay_seconds=0)
    published: list[str] = []
    for delay in (2, 0, 1, 3, 0):
        change(operator_at, reader, delay_seconds=delay)
        batch = [f"{len(published)} {number}" for number in range(5)]
        positions = client.publish(channel, *batch)
        published += batch
        programs.wait_for(len(published), wait_until)
        for _, answered, message in programs.receipts[-len(batch) :]:
            assert message["position"] in positions
            assert answered >= int(message["position"][:13]) / 1000 + delay
    programs.finish()
    assert sorted(message["message"] for _, _, message in programs.receipts) == sorted(published)


def test_one_that_is_made_anew_under_its_name_is_read_at_once(
    client: Client, operator_at: Client, channel: str, subscribe: Subscribe
) -> None:
    """As it is then: of another mode and another filter, from its start on."""
    reader = subscribe("cursor", filter=OLD)
    client.publish(channel, of_kind("old"), of_kind("new"))
    assert client.texts(reader) == [of_kind("old")]
    for number in range(6):
        mode, kind = ("lease", "new") if number % 2 == 0 else ("cursor", "old")
        wanted = {"name": reader, "channel": channel, "mode": mode, "start": "earliest"}
        operator_at.ask("DELETE", f"subscriptions/{reader}", status=204)
        operator_at.post("subscriptions", {**wanted, "filter": {"kind": [kind]}}, 201)
        fetched = client.fetch(reader)
        assert texts(fetched) == [of_kind(kind)]
        settle(client, reader, mode, fetched)
        assert client.texts(reader) == []
        time.sleep(0.23)
    operator_at.ask("DELETE", f"subscriptions/{reader}", status=204)
    client.post(f"subscriptions/{reader}/fetch", {}, 404)


def test_whoever_waits_at_one_that_is_made_anew_is_given_of_it(
    client: Client, operator_at: Client, channel: str, subscribe: Subscribe
) -> None:
    reader = subscribe("lease", filter=OLD)
    client.publish(channel, of_kind("new"))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.fetch, reader, wait_seconds=20)
        time.sleep(1)
        operator_at.ask("DELETE", f"subscriptions/{reader}", status=204)
        wanted = {"name": reader, "channel": channel, "mode": "cursor", "start": "earliest"}
        operator_at.post("subscriptions", wanted, 201)
        began = time.monotonic()
        assert texts(waiting.result()) == [of_kind("new")]
    assert time.monotonic() - began < 4
