"""Order by a field: one after another for each value, and the others flow."""

import json
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from relaycore.delivering.beginning import parse
from subscribers_app import registration, seeking
from subscribers_app.models import Delivery, HeldBack, Subscription
from tests.integration.pulling.conftest import Client
from tests.integration.sending.endpoints import Came, Endpoints, Place, answers, decides, takes
from tests.integration.sending.flow import hooked, topics
from tests.integration.sending.senders import Sender
from tests.loops import Loop

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])

Hook = Callable[..., Subscription]
BY_CUSTOMER = {"order": "field", "order_field": "customer"}


def said(customer: str, number: int) -> str:
    return json.dumps({"customer": customer, "number": number})


def by_customer(texts: list[str]) -> dict[str, list[int]]:
    """The numbers that came, of each, in the order of coming."""
    found: dict[str, list[int]] = defaultdict(list)
    for one in map(json.loads, texts):
        found[one["customer"]].append(one["number"])
    return found


@pytest.fixture
def keyed(hook: Hook) -> Hook:
    """Makes a webhook in order by the field `customer`."""

    def make(channel: str, to: Any, **more: Any) -> Subscription:
        made = hook(channel, to, schedule_seconds=[0, *[1] * 20], **more)
        Subscription.objects.filter(pk=made.pk).update(**BY_CUSTOMER)
        made.refresh_from_db()
        return made

    return make


def test_what_fails_holds_back_its_own_and_no_others(
    client: Client, channel: str, keyed: Hook, sender: Loop, place: Place, wait_until: Any
) -> None:
    is_well = [False]

    def answer(came: Came, _: Place) -> int:
        return 200 if is_well[0] or '"ill"' not in came.text else 500

    place.manner = decides(answer)
    made = keyed(channel, place.url)
    texts = [said(one, number) for number in range(8) for one in ("ill", "well", "fine")]
    positions = client.publish(channel, *texts)
    wait_until(lambda: Subscription.objects.get(pk=made.pk).position == positions[-1], seconds=20)
    told = by_customer(place.said)
    assert told["well"] == told["fine"] == list(range(8))
    assert set(told["ill"]) == {0}
    (row,), (held,) = (
        Delivery.objects.filter(subscription=made),
        HeldBack.objects.filter(subscription=made),
    )
    assert row.key == held.key
    assert held.messages == 7
    is_well[0] = True
    wait_until(lambda: not Delivery.objects.filter(subscription=made).exists(), seconds=20)
    wait_until(lambda: not HeldBack.objects.filter(subscription=made).exists(), seconds=20)
    ill = by_customer(place.said)["ill"]
    assert [one for one in ill if one] == list(range(1, 8))
    client.publish(channel, said("ill", 8))
    wait_until(lambda: by_customer(place.said)["ill"][-1] == 8)


def test_what_is_dead_lets_the_rest_go_on(
    client: Client, channel: str, hook: Hook, sender: Loop, place: Place, wait_until: Any
) -> None:
    place.manner = decides(lambda came, _: 400 if '"number": 0' in came.text else 200)
    made = hook(channel, place.url, schedule_seconds=[0, 1])
    Subscription.objects.filter(pk=made.pk).update(**BY_CUSTOMER)
    client.publish(channel, *(said("one", number) for number in range(4)))
    wait_until(lambda: by_customer(place.said)["one"][-1:] == [3], seconds=20)
    assert by_customer(place.said)["one"] == [0, 0, 1, 2, 3]
    wait_until(lambda: set(Delivery.objects.values_list("state", flat=True)) == {"dead"})


def test_one_after_another_however_often_the_sender_is_killed(
    client: Client,
    writer: Any,
    keyed: Hook,
    endpoints: Endpoints,
    tmp_path: Path,
    wait_until: Any,
) -> None:
    """Another filter and a seek in between; the endpoint fails every third time."""
    (channel,) = topics(1)
    out: dict[str, int] = defaultdict(int)
    together: list[str] = []
    chance = iter(range(10**9))

    async def answer(place: Place, came: Came, writer: Any) -> bool:
        customer = json.loads(came.text)["customer"]
        out[customer] += 1
        if out[customer] > 1:
            together.append(customer)
        try:
            manner = answers(500) if next(chance) % 3 == 2 else takes
            return await manner(place, came, writer)
        finally:
            out[customer] -= 1

    (reader,) = hooked(keyed, endpoints, [channel], 1)
    reader.place.manner = answer
    customers = [f"customer {number}" for number in range(6)]
    with Sender(tmp_path / "log") as sender:
        for number in range(30):
            client.publish(channel, *(said(one, number) for one in customers))
            if number % 8 == 7:
                time.sleep(0.4)
                sender.kill()
        wait_until(
            lambda: all(
                set(by_customer(sorted(reader.place.texts)).get(one, ())) == set(range(30))
                for one in customers
            ),
            seconds=60,
            what="everything has come",
        )
        wait_until(lambda: not HeldBack.objects.exists() and not Delivery.objects.exists(), seconds=60)
        assert not sender.complaints()
    assert not together
    came = by_customer([one.text for one in reader.place.came])
    for one in customers:
        first = list(dict.fromkeys(came[one]))
        assert first == sorted(first), "a message came before one of its value that is before it"


def test_after_a_seek_what_waited_comes_from_there(
    client: Client, channel: str, keyed: Hook, sender: Loop, place: Place, wait_until: Any
) -> None:
    is_well = [False]
    place.manner = decides(lambda *_: 200 if is_well[0] else 500)
    made = keyed(channel, place.url)
    positions = client.publish(channel, *(said("one", number) for number in range(5)))
    wait_until(lambda: Subscription.objects.get(pk=made.pk).position == positions[-1], seconds=20)
    registration.change(made.name, filter={"number": [{"numeric": [">", 2]}]}, filter_scope="body")
    is_well[0] = True
    seeking.seek(made.name, parse("earliest"))
    wait_until(lambda: by_customer(place.said)["one"][-2:] == [3, 4], seconds=20)
    wait_until(lambda: not HeldBack.objects.exists() and not Delivery.objects.exists(), seconds=20)
