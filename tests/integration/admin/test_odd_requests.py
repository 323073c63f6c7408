"""Odd addresses and forms: the answer says what is wrong with them, and is never 500."""

from html import unescape

import pytest
from django.db import OperationalError, connection
from django.test import Client

from channels_app.models import Channel
from channels_app.registration import start
from tests.integration.admin.filled import add_channel

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("channels_app/channel/?channel__regex=(((", "parentheses () not balanced"),
        ("channels_app/gap/?began_at__year=99999", "year 99999 is out of range"),
        ("channels_app/gap/?began_at__year=0", "year 0 is out of range"),
        ("access_app/auditentry/?at__year=99999", "year 99999 is out of range"),
        ("auth/user/?username__regex=(((", "parentheses () not balanced"),
        ("messages_app/quarantined/?channel__regex=(((", "Regular expression is invalid"),
    ],
)
def test_a_filter_that_no_list_can_have_is_told_why(
    browser: Client, messages_database: str, address: str, says: str
) -> None:
    answer = browser.get(f"/admin/{address}")

    assert answer.status_code == 400
    assert "cannot be filtered" in (shown := unescape(answer.content.decode()))
    assert says in shown


def test_what_was_asked_is_shown_as_text(browser: Client) -> None:
    answer = browser.get("/admin/channels_app/gap/?began_at__year=0&x=<script>")

    assert "<script>" not in answer.content.decode()


def test_more_rows_than_a_form_can_carry_are_told_to_be_fewer(browser: Client) -> None:
    selected = {"action": "delete_selected", "_selected_action": [str(n) for n in range(2000)]}

    answer = browser.post("/admin/channels_app/channel/", selected)

    assert answer.status_code == 400
    assert "Select fewer rows" in answer.content.decode()


@pytest.fixture
def read_only(browser: Client) -> None:
    """PostgreSQL takes no writes: what a standby says that was not promoted yet."""
    with connection.cursor() as cursor:
        # What is deferred of what was done so far could not be done at the end any more.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET TRANSACTION READ ONLY")


def test_while_postgresql_is_read_only_a_form_says_so(browser: Client, read_only: None) -> None:
    answer = add_channel(browser, "orders")

    assert answer.status_code == 503
    assert int(answer["Retry-After"]) > 0
    assert "takes no writes now" in answer.content.decode()


def test_while_a_server_is_away_a_page_says_so(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    row = start("orders")

    def away(*_: object, **__: object) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(type(Channel.objects.all()), "with_status", away)

    answer = browser.get(f"/admin/channels_app/channel/{row.pk}/change/")

    assert answer.status_code == 503
    assert "PostgreSQL does not answer" in answer.content.decode()
