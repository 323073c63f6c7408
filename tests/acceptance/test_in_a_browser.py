"""What an operator does on the admin's pages, in a real browser."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pymongo
import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.browser import PHONE, browsing, chromium, log_in
from tests.acceptance.stack import Stack

Wait = Callable[..., None]

CHANNEL = "seen in a browser"
BACKGROUND = {"light": "rgb(246, 248, 250)", "dark": "rgb(14, 21, 29)"}
# What one must be able to touch, as a whole.
CONTROLS = ".actions button, .form-row input, .form-row select, .form-row a:has(img), .submit-row input"
HOSTILE = '{"text": "</pre><script>alert(1)</script><img src=x onerror=alert(2)>"}'


@pytest.fixture(scope="module", autouse=True)
def _browser_is_there() -> None:
    chromium()


@contextmanager
def refusing(stack: Stack, text: str) -> Iterator[Any]:
    """MongoDB refuses messages with this text."""
    client: pymongo.MongoClient[Any] = pymongo.MongoClient(stack.info["mongo_url"])
    database = client["relay"]
    database.command({"collMod": "messages", "validator": {"message": {"$not": {"$regex": text}}}})
    try:
        yield database
    finally:
        database.command({"collMod": "messages", "validator": {}})
        client.close()


def rates(page: Page) -> list[float]:
    """What the chart shows, from the oldest to the newest."""
    return [float(rate) for rate in page.evaluate("document.getElementById('relay-chart').plot.data[1]")]


def test_a_day_of_an_operator(stack: Stack, wait_until: Callable[..., None]) -> None:
    with browsing(stack) as page:
        log_in(page, stack)

        # Start a channel: the home page says by itself that it is heard.
        page.locator("#nav-sidebar .model-channel th a").click()
        page.get_by_role("link", name="Add channel").click()
        page.locator("#id_channel").fill(CHANNEL)
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("was added successfully")).to_be_visible()
        page.goto("/admin/")
        page.evaluate("window.sameDocument = true")
        expect(page.locator(".banner.good")).to_contain_text("Everything listed is heard.", timeout=15_000)

        # Publish: the chart moves without the page being loaded again.
        before = sum(rates(page))
        for n in range(50):
            assert stack.redis.publish(CHANNEL, f'{{"id": {n}, "customer": "Ada"}}') >= 1
        stack.redis.publish(CHANNEL, HOSTILE)
        wait_until(lambda: sum(rates(page)) > before, seconds=15)
        assert page.evaluate("window.sameDocument")
        page.get_by_role("button", name="3 h").click()
        wait_until(lambda: len(rates(page)) == 179)

        # See the messages, page through them, search one, read it.
        page.locator("#nav-sidebar .model-message th a").click()
        page.get_by_label("Channel", exact=True).fill(CHANNEL)
        page.get_by_role("button", name="Find").click()
        expect(page.locator(".messages tbody tr")).to_have_count(50)
        page.get_by_role("link", name="Older").click()
        expect(page.locator(".messages tbody tr")).to_have_count(1)
        page.get_by_label("Contains").fill('"id": 17,')
        page.get_by_role("button", name="Find").click()
        expect(page.locator(".messages tbody tr")).to_have_count(1)
        page.locator(".messages tbody a").first.click()
        expect(page.locator("pre.payload")).to_have_text('{\n  "id": 17,\n  "customer": "Ada"\n}')

        # What is hostile is text: nothing ran, or leaving this block fails.
        page.go_back()
        page.get_by_label("Contains").fill("</pre>")
        page.get_by_role("button", name="Find").click()
        page.locator(".messages tbody a").first.click()
        expect(page.locator("pre.payload")).to_contain_text("<script>alert(1)</script>")


def test_what_mongodb_refused_is_put_back_once_the_cause_is_mended(stack: Stack, wait_until: Wait) -> None:
    channel = "refused, then mended"
    stack.listen_to(channel)
    with browsing(stack) as page:
        with refusing(stack, "a word that is refused"):
            stack.redis.publish(channel, "a word that is refused")
            log_in(page, stack)
            card = page.locator('[data-part="quarantine"]')
            expect(card.get_by_role("link", name=channel)).to_be_visible(timeout=15_000)
            card.get_by_role("link", name=channel).click()
            expect(page.get_by_text("MongoDB refuses it")).to_be_visible()
            expect(page.locator("pre.payload")).to_have_text("a word that is refused")
        page.get_by_role("button", name="Put it back on the stream").click()
        expect(page.get_by_text("1 message is being sent again")).to_be_visible()
        wait_until(lambda: stack.texts(channel), what="it is stored")
        page.goto(f"/admin/messages_app/message/?channel={channel}")
        expect(page.locator(".messages tbody tr")).to_have_count(1)
    assert stack.texts(channel) == ["a word that is refused"]


def test_no_page_is_wider_than_a_phone(stack: Stack) -> None:
    stack.listen_to("a-name-without-any-place-to-break-" * 3)
    with browsing(stack, size=PHONE, scheme="dark") as page:
        log_in(page, stack)
        for address in [
            "/admin/",
            "/admin/channels_app/channel/",
            "/admin/channels_app/channel/add/",
            "/admin/messages_app/message/",
            "/admin/messages_app/quarantined/",
            "/admin/leases_app/lease/",
            "/admin/subscribers_app/subscription/",
            "/admin/subscribers_app/subscription/add/",
            "/admin/access_app/token/",
            "/admin/access_app/token/add/",
            "/admin/access_app/auditentry/",
            "/admin/django_celery_beat/periodictask/",
        ]:
            page.goto(address)
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0], address
            for control in page.locator(CONTROLS).all():
                box = control.bounding_box()
                assert box is None or box["x"] + box["width"] <= PHONE[0] - 16, (address, control)
            assert page.evaluate("document.getElementById('content').clientWidth") > 0.9 * PHONE[0], address


def test_a_phone_shows_the_whole_of_a_gap_and_of_a_button(stack: Stack) -> None:
    channel = "touched on a phone"
    stack.listen_to(channel)
    row = stack.http.get(f"/api/v1/channels/{channel}").json()["id"]
    with stack.postgres() as connection, connection.cursor() as cursor:
        cursor.execute(
            "insert into gaps (partition, partitions, channel, cause, began_at, ended_at, covered)"
            " values (0, 1, %s, 'refused', now(), now(), false)",
            [channel],
        )
    with browsing(stack, size=PHONE) as page:
        log_in(page, stack)
        page.goto(f"/admin/channels_app/channel/{row}/change/")
        delete = page.locator(".submit-row .deletelink")
        assert delete.evaluate("link => link.scrollHeight <= link.clientHeight")
        page.goto(f"/admin/channels_app/gap/?touching={channel}")
        for column in ("cause", "missed"):
            box = page.locator(f"#result_list .field-{column}").first.bounding_box()
            assert box is not None
            assert box["x"] + box["width"] <= PHONE[0], column


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_of_the_api_work_and_follow_the_look(stack: Stack, scheme: str) -> None:
    """What the policy for content blocks is written to the console, and fails this when the block is left."""
    channel = f"looked at in the {scheme}"
    stack.listen_to(channel)
    with browsing(stack, scheme=scheme, size=PHONE) as page:
        page.goto("/api/session/login/")
        log_in(page, stack)
        for address in ["/api/v1/", "/api/v1/channels", f"/api/v1/channels/{channel}", "/api/v1/gaps"]:
            page.goto(address)
            expect(page.locator("body")).to_have_css("background-color", BACKGROUND[scheme])
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0], address
        page.goto("/api/docs")
        expect(page.get_by_text("Start listening to a channel")).to_be_visible(timeout=15_000)
        expect(page.locator("body")).to_have_css("background-color", BACKGROUND[scheme])
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def test_a_refresh_leaves_alone_what_has_not_changed(stack: Stack, wait_until: Callable[..., None]) -> None:
    with browsing(stack) as page:
        log_in(page, stack)
        home = page.locator("#relay-home")
        wait_until(lambda: int(home.get_attribute("data-refreshed") or 0) >= 1)
        page.evaluate("document.querySelector('[data-part=gaps] h2').isTheSame = true")
        before = int(home.get_attribute("data-refreshed") or 0)
        wait_until(lambda: int(home.get_attribute("data-refreshed") or 0) >= before + 2)
        assert page.evaluate("document.querySelector('[data-part=gaps] h2').isTheSame")


def test_the_look_can_be_chosen(stack: Stack) -> None:
    with browsing(stack, scheme="dark") as page:
        log_in(page, stack)
        body = page.locator("body")
        expect(body).to_have_css("background-color", BACKGROUND["dark"])
        page.locator("#header .theme-toggle").click()  # From automatic to light.
        expect(body).to_have_css("background-color", BACKGROUND["light"])
        page.goto("/admin/channels_app/channel/")
        expect(body).to_have_css("background-color", BACKGROUND["light"])


def test_when_logged_out_meanwhile_the_home_page_asks_to_log_in(stack: Stack) -> None:
    with browsing(stack) as page:
        log_in(page, stack)
        page.context.clear_cookies()
        page.wait_for_url(re.compile("/admin/login/"), timeout=15_000)
