"""A form writes what was changed in it, and refuses what somebody else has changed meanwhile."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from access_app.models import AuditEntry
from channels_app.models import Channel
from channels_app.registration import change, start
from relaycore.policy import EVERY
from tests.integration.admin.filled import filled

pytestmark = pytest.mark.django_db


@pytest.fixture
def address() -> str:
    return f"/admin/channels_app/channel/{start('orders', retention_seconds=60).pk}/change/"


def _page(browser: Client, address: str) -> str:
    return browser.get(address).content.decode()


def test_what_was_not_touched_stays_as_somebody_else_has_set_it(browser: Client, address: str) -> None:
    opened = _page(browser, address)
    change("orders", retention_seconds=None, listen=False)
    browser.post(address, filled(opened, deduplicate_0="every"))

    channel = Channel.objects.get()
    assert (channel.deduplicate, channel.retention_seconds, channel.listen) == ("every", None, False)
    assert AuditEntry.objects.latest("id").details == {"deduplicate": "every"}
    assert LogEntry.objects.get().get_change_message() == "Changed deduplicate."


def test_what_both_have_changed_is_refused(browser: Client, address: str) -> None:
    opened = _page(browser, address)
    change("orders", retention_seconds=None)
    answer = browser.post(
        address, filled(opened, retention_seconds_0="90", deduplicate_0="every")
    ).content.decode()

    assert "Somebody else has changed this to “for ever” meanwhile" in answer
    channel = Channel.objects.get()
    assert (channel.deduplicate, channel.retention_seconds) == ("content", None), "all of it, or nothing"
    assert "meanwhile" in browser.post(address, filled(answer)).content.decode(), "and again"


def test_whoever_is_quicker_than_the_form_was_checked_is_not_overwritten(
    browser: Client, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = _page(browser, address)
    monkeypatch.setattr("channels_app.admin.forms.ChannelForm.clean", lambda form: form.cleaned_data)
    change("orders", EVERY)
    answer = browser.post(address, filled(opened, deduplicate_0="field", deduplicate_1="id"), follow=True)

    assert "Somebody else has changed deduplicate of orders meanwhile" in answer.content.decode()
    assert Channel.objects.get().deduplicate == "every"


@pytest.mark.parametrize("seen", [None, "", "{", "[]", "{}"])
def test_a_form_that_does_not_say_what_it_has_shown_changes_nothing(
    browser: Client, address: str, seen: Any
) -> None:
    form = filled(_page(browser, address), seen=seen, deduplicate_0="every")

    assert "Open it again" in browser.post(address, form).content.decode()
    assert Channel.objects.get().deduplicate == "content"


def test_the_form_has_three_radio_buttons_and_a_unit(browser: Client, address: str) -> None:
    change("orders", retention_seconds=7200)
    page = _page(browser, address)

    assert page.count('type="radio" name="deduplicate_0"') == 3
    assert 'name="deduplicate_1"' in page
    said = filled(page)
    assert (said["deduplicate_0"], said["retention_seconds_0"], said["retention_seconds_1"]) == (
        "content",
        "2",
        "3600",
    )
    browser.post(address, filled(page, deduplicate_0="field", deduplicate_1="id", listen=None))
    channel = Channel.objects.get()
    assert (channel.deduplicate, channel.retention_seconds, channel.listen) == ({"field": "id"}, 7200, False)


def test_deleting_says_that_messages_stay_and_is_one_action(browser: Client, address: str) -> None:
    row, where = Channel.objects.get(), "/admin/channels_app/channel/"
    one = _page(browser, address.replace("change", "delete"))
    data = {"action": "delete_selected", "_selected_action": [row.pk]}
    several = browser.post(where, data).content.decode()

    assert "stored messages stay" in one
    assert "stored messages stay" in several
    actions = _page(browser, where)
    assert "Delete selected" in actions
    assert "Stop listening" not in actions


def test_whoever_may_only_look_sees_the_page(client: Client, address: str, django_user_model: Any) -> None:
    from django.contrib.auth.models import Permission

    user = django_user_model.objects.create_user("viewer", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_channel"))
    client.force_login(user)

    answer = client.get(address)
    assert answer.status_code == 200
    assert 'name="seen"' not in answer.content.decode()
