"""Leases in Django's admin."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from leases_app.leasing import Condition, Contender
from leases_app.models import Lease

pytestmark = pytest.mark.django_db

LIST = "/admin/leases_app/lease/"


def test_a_lease_says_who_holds_it_and_whether_it_is_live(browser: Client, listener: Any) -> None:
    Lease.objects.update(heartbeat_at=timezone.now() - timedelta(seconds=7), given_up=41)

    page = browser.get(LIST).content.decode()

    lease = Lease.objects.get()
    for shown in (lease.host, str(lease.pid), "41", 'alt="True"'):
        assert shown in page
    assert "7." in page
    assert "s ago" in page


def test_a_lease_says_whether_its_holder_hears_and_what_it_cannot_do(browser: Client, listener: Any) -> None:
    assert 'alt="False"' not in browser.get(LIST).content.decode()
    listener.renew(0, Condition(3600.0, waiting=1234, trouble="Redis refuses EVAL: grant +eval."))
    Lease.objects.update(heard_at=timezone.now() - timedelta(hours=1))

    page = browser.get(LIST).content.decode()

    assert 'alt="False"' in page
    assert "1234" in page
    assert "Redis refuses EVAL: grant +eval." in page


def test_a_processor_that_takes_no_more_shows_that_more_may_wait(browser: Client) -> None:
    for role in (Lease.Role.PROCESSOR, Lease.Role.WRITER):
        term = Contender().claim(role, 0)
        assert term is not None
        term.renew(0, Condition(waiting=1500))

    page = browser.get(LIST).content.decode()

    assert page.count('<td class="field-waits">1500+</td>') == 1
    assert page.count('<td class="field-waits">1500</td>') == 1


def test_whether_a_writer_hears_is_no_question(browser: Client) -> None:
    assert Contender().claim(Lease.Role.WRITER, 0)

    page = browser.get(LIST).content.decode()

    assert '<td class="field-hears">–</td>' in page
    assert 'alt="None"' not in page


def test_a_lease_that_lapsed_or_was_released_is_not_live(
    browser: Client, listener: Any, settings: Any
) -> None:
    settings.RELAY_LEASE_TTL_SECONDS = 0.0
    assert 'alt="False"' in browser.get(LIST).content.decode()
    settings.RELAY_LEASE_TTL_SECONDS = 60.0
    assert 'alt="True"' in browser.get(LIST).content.decode()
    listener.release()
    assert 'alt="False"' in browser.get(LIST).content.decode()


def test_a_lease_can_only_be_looked_at(browser: Client, listener: Any) -> None:
    lease = Lease.objects.get()
    change = reverse("admin:leases_app_lease_change", args=[lease.pk])

    page = browser.get(change)
    assert page.status_code == 200
    assert lease.holder in page.content.decode()
    assert browser.post(change, {"holder": "me"}).status_code == 403
    assert browser.get(LIST + "add/").status_code == 403
    delete = reverse("admin:leases_app_lease_delete", args=[lease.pk])
    assert browser.post(delete, {"post": "yes"}).status_code == 403
    assert Lease.objects.get().holder == lease.holder


def test_the_list_takes_as_many_queries_for_many_as_for_one(
    browser: Client, django_assert_max_num_queries: Any
) -> None:
    for partition in range(50):
        Contender().claim(Lease.Role.WRITER, partition)

    with django_assert_max_num_queries(6):
        browser.get(LIST)
