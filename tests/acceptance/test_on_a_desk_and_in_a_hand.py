"""What people stumbled over, in a real browser, as wide as a desk's and as a phone's screen."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import bson
import pymongo
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.acceptance.browser import browsing, chromium, log_in
from tests.acceptance.stack import Stack

DESK, HAND = (1440, 900), (390, 844)
SIZES = pytest.mark.parametrize("size", [DESK, HAND], ids=["desk", "hand"])
LONG = "Redis does not let this process subscribe to it: give its user the right that is missing. " * 3


@pytest.fixture(scope="module", autouse=True)
def _browser_is_there() -> None:
    chromium()


def _is_whole(place: Locator, width: int) -> bool:
    """Whether nothing of it is cut off, at the side or below."""
    box = place.bounding_box()
    assert box is not None
    is_shown = place.evaluate(
        "one => one.scrollHeight <= one.clientHeight + 1 && one.scrollWidth <= one.clientWidth + 1"
        " || getComputedStyle(one).display === 'inline'"
    )
    return bool(is_shown) and box["x"] >= 0 and box["x"] + box["width"] <= width


def _fits(page: Page, size: tuple[int, int]) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth") <= size[0])


@contextmanager
def _quarantined(stack: Stack, *channels: str) -> Iterator[Any]:
    """One message of each channel in quarantine, and nothing else."""
    with pymongo.MongoClient[Any](stack.info["mongo_url"]) as client:
        quarantine = client["relay"]["quarantine"]
        quarantine.delete_many({})
        for channel in channels:
            quarantine.insert_one(
                {
                    "_id": bson.ObjectId(),
                    "message_id": bson.ObjectId(),
                    "channel": channel,
                    "payload": b"what was refused",
                    "size": 16,
                    "reason": LONG,
                    "position": "1795262400000-0000000000-00000",
                    "received_at": datetime.now(UTC),
                    "quarantined_at": datetime.now(UTC),
                }
            )
        yield quarantine
        quarantine.delete_many({})


@SIZES
def test_every_list_is_reached(stack: Stack, size: tuple[int, int]) -> None:
    with browsing(stack, size=size) as page:
        log_in(page, stack)
        menu = page.locator("#relay-menu")
        expect(menu).to_be_visible(visible=size == HAND)
        for name, path in [("Messages", "message/"), ("Tokens", "token/"), ("Audit log", "auditentry/")]:
            if size == HAND:
                menu.get_by_text("Menu").click()
                link = menu.get_by_role("link", name=name)
                expect(link).to_be_visible()
                assert _is_whole(link, size[0])
            else:
                link = page.locator(f'#nav-sidebar a[href$="{path}"]')
            link.click()
            page.wait_for_url(re.compile(path))
            assert _fits(page, size)


_CELL = """
cell => ({
    label: getComputedStyle(cell, '::before').content.replaceAll('"', ''),
    column: document.querySelectorAll('#result_list thead th .text')[cell.cellIndex].textContent.trim(),
    right: cell.getBoundingClientRect().right,
})
"""


@SIZES
def test_each_value_of_a_list_says_what_it_is_and_is_seen(stack: Stack, size: tuple[int, int]) -> None:
    with browsing(stack, size=size) as page:
        log_in(page, stack)
        lists = ["access_app/auditentry", "access_app/token", "auth/user", "leases_app/lease"]
        for path in [*lists, "django_celery_beat/periodictask"]:
            page.goto(f"/admin/{path}/")
            heads, cells = (
                page.locator("#result_list thead"),
                page.locator("#result_list td[data-name]").all(),
            )
            expect(heads).to_be_visible(visible=size == DESK)
            assert len(cells) >= 3, "a card with labels"
            for said in [cell.evaluate(_CELL) for cell in cells[:10]]:
                if size == HAND:
                    assert said["label"] == f"{said['column']}: "
                    assert said["right"] <= size[0], "nobody has to look for it at the side"
                else:
                    assert said["label"] == "none", "the head says it"


@SIZES
def test_why_a_channel_is_not_heard_is_not_cut_off(stack: Stack, size: tuple[int, int]) -> None:
    stack.listen_to(f"not heard at {size[0]}, and why")
    with browsing(stack, size=size) as page:
        log_in(page, stack)
        page.goto("/admin/channels_app/channel/?q=and+why")
        cell = page.locator("#result_list .field-why_not").first
        cell.evaluate("(cell, text) => { cell.textContent = text; }", LONG)
        assert _is_whole(cell, size[0])
        assert _fits(page, size)


@SIZES
def test_what_is_in_quarantine_is_acknowledged_and_discarded(stack: Stack, size: tuple[int, int]) -> None:
    with _quarantined(stack, "first", "second") as quarantine, browsing(stack, size=size) as page:
        log_in(page, stack)
        tile = page.locator('.tile[href*="quarantined"]')
        expect(tile).to_have_class("tile warn", timeout=15_000)

        page.goto("/admin/messages_app/quarantined/")
        assert _is_whole(page.locator("#result_list .field-reason").first, size[0])
        page.locator("#result_list th a").first.click()
        discard = page.get_by_role("button", name="Discard for ever")
        for button in (discard, page.get_by_role("button", name="Acknowledge")):
            assert _is_whole(button, size[0])
        discard.click()
        expect(page.get_by_text("1 message discarded.")).to_be_visible()
        page.locator("#result_list th a").first.click()
        page.get_by_role("button", name="Acknowledge").click()
        expect(page.get_by_text("1 message acknowledged.")).to_be_visible()

        page.goto("/admin/")
        expect(tile).to_have_class("tile", timeout=15_000)
        expect(tile).to_contain_text("all acknowledged")
        assert quarantine.count_documents({}) == 1


@SIZES
def test_a_gap_lies_between_the_rows(
    stack: Stack, size: tuple[int, int], wait_until: Callable[..., None]
) -> None:
    channel = f"with a gap at {size[0]}"
    stack.listen_to(channel, deduplicate="every")
    stack.redis.publish(channel, "before")
    wait_until(lambda: stack.texts(channel) == ["before"])
    with stack.postgres() as connection, connection.cursor() as cursor:
        cursor.execute(
            "insert into gaps (partition, partitions, channel, cause, began_at, ended_at, covered,"
            " missed_at_most) values (0, 1, %s, 'refused', now(), now(), false, 3)",
            [channel],
        )
    stack.redis.publish(channel, "after")
    wait_until(lambda: stack.texts(channel) == ["before", "after"])
    with browsing(stack, size=size) as page:
        log_in(page, stack)
        page.goto(f"/admin/messages_app/message/?channel={channel}")
        rows = page.locator(".messages tbody tr")
        expect(rows).to_have_count(3)
        expect(rows.nth(0)).to_contain_text("after")
        expect(rows.nth(1)).to_contain_text("at most 3 messages missed")
        expect(rows.nth(2)).to_contain_text("before")
        assert _is_whole(rows.nth(1).locator("td"), size[0])
        assert _fits(page, size)


@SIZES
def test_the_pages_of_the_api_lead_back_and_log_out(stack: Stack, size: tuple[int, int]) -> None:
    with browsing(stack, size=size) as page:
        log_in(page, stack)
        page.goto("/api/v1/channels")
        for name in ("Admin", "Log out"):
            assert _is_whole(page.get_by_text(name, exact=True), size[0])
        page.get_by_role("link", name="Admin", exact=True).click()
        page.wait_for_selector("#relay-home")
        page.goto("/api/v1/")
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url(re.compile("/admin/login/"))
        page.goto("/admin/")
        page.wait_for_url(re.compile("/admin/login/"))


@SIZES
def test_what_is_not_there_is_said_in_the_look_of_the_site(stack: Stack, size: tuple[int, int]) -> None:
    with browsing(stack, size=size) as page:
        log_in(page, stack)
        answer = page.request.get("/admin/messages_app/message/nothing/change/")
        assert answer.status == 404
        # Put into this page: a document that is 404 would stand in the console as an error.
        page.set_content(answer.text())
        expect(page.get_by_role("heading", name="Not Found")).to_be_visible()
        expect(page.get_by_text("There is no message with this id.")).to_be_visible()
        expect(page.locator("body")).to_have_css("background-color", "rgb(246, 248, 250)")
        assert _fits(page, size)
        page.get_by_role("link", name="To the admin").click()
        page.wait_for_selector("#relay-home")
