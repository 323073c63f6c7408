"""How often a message was sent by webhooks: it grows each time it comes back, and never begins anew."""

from typing import Any

import pytest
from bson import ObjectId

from relaycore.errors import Looped
from relaycore.outbound import hops
from relaycore.sending.formats.choosing import batch, item, single
from relaycore.sending.formats.format import Format
from tests.unit.relaycore.sending.stored import document


def said(format: Format, stored: dict[str, Any]) -> str:
    if not format.is_batch:
        return dict(single(format, stored).headers)[b"relay-hops"].decode()
    together = [document(attributes=None), stored, document(attributes={})]
    encoded = batch(format, together, [item(format, one) for one in together])
    return dict(encoded.headers)[b"relay-hops"].decode()


@pytest.mark.parametrize("format", Format)
def test_a_circle_grows_by_one_each_time(format: Format) -> None:
    stored = document(_id=ObjectId(bytes(12)), attributes=None)
    for expected in range(1, hops.MOST + 2):
        came = hops.number(said(format, stored))
        assert came == expected
        stored["attributes"] = dict(hops.counted({"kind": "new"}, came))
    assert came > hops.MOST


def test_what_no_webhook_has_sent_says_nothing_of_it() -> None:
    assert hops.counted({"kind": "new"}, 0) == {"kind": "new"}


@pytest.mark.parametrize("strange", [None, "", "0", "-1", "1.5", "1e9", "9" * 5000, "٣", " 1", "x"])
def test_what_is_no_number_of_ours_is_none(strange: str | None) -> None:
    assert hops.number(strange) == 0


def test_a_door_takes_what_came_as_often_as_it_may_and_refuses_the_next() -> None:
    assert [hops.came(said) for said in (None, "x", "1", "8")] == [0, 0, 1, 8]
    with pytest.raises(Looped, match="in a circle"):
        hops.came("9")


def test_what_an_older_relay_has_kept_came_by_no_webhook() -> None:
    assert hops.kept(0) == {}
    assert [hops.known(kept) for kept in ({}, hops.kept(3), {hops.KEPT: "3"})] == [0, 3, 0]
    assert hops.least({"alerts": 2}, 3) == {"alerts": 2}
    assert hops.least({"alerts": 2, **hops.kept(4)}, 3) == {"alerts": 2, **hops.kept(3)}
