"""Each page of a long list has its rows, in order, and costs no more queries than it needs."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.paginator import EmptyPage

from channels_app.models import Channel
from leases_app.models import Lease
from relaybase.pages.long_list import LongListPaginator

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("rows", [0, 1, 3, 4, 10, 12])
@pytest.mark.parametrize("order", ["channel", "-channel"])
def test_all_pages_together_are_the_list(rows: int, order: str) -> None:
    Channel.objects.bulk_create([Channel(channel=f"c.{n:02}", partition=0) for n in range(rows)])
    found = Channel.objects.with_status().order_by(order)
    pages = LongListPaginator(found, 3)

    shown = [list(pages.page(number).object_list) for number in pages.page_range]

    assert [row for page in shown for row in page] == list(found)
    assert all(len(page) == 3 for page in shown[:-1])
    assert pages.count == rows
    with pytest.raises(EmptyPage):
        pages.page(len(shown) + 1)


def test_what_fits_into_a_page_is_looked_for_once(django_assert_num_queries: Any) -> None:
    Channel.objects.bulk_create([Channel(channel=f"c.{n}", partition=0) for n in range(5)])
    pages = LongListPaginator(Channel.objects.with_status().filter(channel__icontains="C.").order_by("pk"), 5)

    with django_assert_num_queries(2) as asked:
        assert (pages.count, len(list(pages.page(1).object_list))) == (5, 5)
    # The second one asks for these keys.
    assert '"id" IN (' in asked.captured_queries[1]["sql"]


def test_the_last_page_passes_over_nothing(django_assert_num_queries: Any) -> None:
    Channel.objects.bulk_create([Channel(channel=f"c.{n:02}", partition=0) for n in range(11)])
    pages = LongListPaginator(Channel.objects.with_status().order_by("channel"), 5)

    with django_assert_num_queries(4) as asked:
        assert [row.channel for row in pages.page(3).object_list] == ["c.10"]
    assert not any("OFFSET" in query["sql"] for query in asked.captured_queries)


@pytest.mark.parametrize("order", ["channel", "status"])
@pytest.mark.parametrize("status", ["ACTIVE", "INACTIVE", None])
def test_who_leads_is_looked_at_once_and_not_for_each_channel(order: str, status: str | None) -> None:
    Channel.objects.bulk_create([Channel(channel=f"c.{n}", partition=n % 4) for n in range(200)])
    Lease.objects.bulk_create([Lease(role=Lease.Role.LISTENER, partition=n) for n in range(4)])
    found = Channel.objects.with_status().order_by(order)
    if status is not None:
        found = found.in_status(status)
    (plan,) = json.loads(found.explain(format="json", analyze=True))

    looked = [node["Actual Loops"] for node in _nodes(plan["Plan"]) if node.get("Relation Name") == "leases"]
    assert looked
    assert max(looked) <= 1


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from _nodes(below)
