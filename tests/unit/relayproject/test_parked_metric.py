"""How many values of a subscription are parked is a metric, also of those that have no place of their own."""

from dataclasses import replace

from relayproject.observing.readers import Reader, Readers, _together
from relayproject.observing.subscriptions import of_readers
from webhooks_app.watching import Endpoints

BILLING = Reader(
    name="billing",
    is_active=True,
    delay_seconds=0,
    lag=None,
    outstanding=0,
    dead=0,
    parked=3,
    idle_seconds=0.0,
    handed_out=0,
    done=0,
    nacked=0,
    uncounted=0,
    answered_seconds=None,
    ended={},
)


def test_parked_keys_are_counted_for_each_subscription_and_for_the_others_together() -> None:
    others = _together([BILLING, replace(BILLING, name="audit", parked=4)])
    families = of_readers(Readers({"active": 3}, [BILLING, others], Endpoints({}, {}, [])))
    found = {
        sample.labels["subscription"]: sample.value
        for family in families
        if family.name == "relay_subscription_parked_keys"
        for sample in family.samples
    }
    assert found == {"billing": 3, "": 7}
