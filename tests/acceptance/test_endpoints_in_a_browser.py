"""Endpoints, and what is sent to them, as somebody sees them at a desk and with a phone."""

import random
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import bson
import psycopg2
import pymongo
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.acceptance.browser import browsing, chromium, log_in
from tests.acceptance.stack import Stack
from tests.acceptance.test_subscriptions_in_a_browser import DESK, HAND, SIZES, fits, post

LIST = "/admin/webhooks_app/endpoint/"
LONG = "a-path-without-any-place-to-break/" * 8

__all__ = ["DESK", "HAND"]


@pytest.fixture(scope="module", autouse=True)
def _browser_is_there() -> None:
    chromium()


def endpoint(stack: Stack, name: str) -> Any:
    """One that has answered for a day, and failed now and then; with a subscription of its name."""
    # Each has a host of its own, which is asked five times a minute at most.
    url, headers = f"https://{name}.example.org/{LONG}", {"Authorization": "Bearer x"}
    made = post(stack, "endpoints", 201, name=name, url=url, headers=headers)
    post(stack, "channels", 201, channel=name, listen=False)
    hook = {"kind": "webhook", "endpoint": name, "start": "latest"}
    post(stack, "subscriptions", 201, name=name, channel=name, **hook)
    with psycopg2.connect(stack.info["database_url"]) as server, server.cursor() as sql:
        sql.execute("SELECT id FROM subscriptions WHERE name = %s", [name])
        (subscription,) = sql.fetchone() or (0,)
    with pymongo.MongoClient[Any](stack.info["mongo_url"]) as client:
        client["relay"]["attempts"].insert_many(_attempts(made["id"], subscription, name))
    return made


def _attempts(endpoint: int, subscription: int, name: str) -> list[dict[str, Any]]:
    chance, now = random.Random(name), datetime.now(UTC)
    made = []
    for number in range(600):
        at = now - timedelta(minutes=chance.uniform(1, 23 * 60))
        is_good = chance.random() < 0.9
        id = bson.ObjectId.from_datetime(at).binary[:4] + number.to_bytes(8)
        made.append(
            {
                "_id": bson.ObjectId(id),
                "at": at,
                "subscription": subscription,
                "subscription_name": name,
                "endpoint": endpoint,
                "endpoint_name": name,
                "message_id": bson.ObjectId(),
                "position": f"{number:030d}",
                "attempt": 1,
                "webhook_id": f"{number:024x}",
                "status": 204 if is_good else 503,
                "failure": None,
                "seconds": chance.expovariate(8),
                "answer": b"" if is_good else b"<b>no room</b> " * 40,
                "expires_at": now + timedelta(days=30),
            }
        )
    return sorted(made, key=lambda one: one["_id"])


def _opened(page: Page, name: str) -> Locator:
    """The page of this endpoint; the card with its attempts."""
    page.goto(f"{LIST}?q={name}")
    page.get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", name="How it fares")).to_be_visible()
    return page.locator("#attempts")


@SIZES
def test_its_page_shows_how_it_fares(stack: Stack, size: tuple[int, int]) -> None:
    name = f"shown.{size[0]}"
    endpoint(stack, name)
    with browsing(stack, size=size) as page:
        log_in(page, stack)
        page.goto(f"{LIST}?q={name}")
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        row = page.locator("#result_list tbody tr")
        for column in ("name", "address", "sent_to", "way", "answered_last"):
            box = row.locator(f".field-{column}").bounding_box()
            assert box is not None
            assert box["x"] + box["width"] <= size[0], column
        card = _opened(page, name)
        fits(page, size)
        expect(page.get_by_text("Nothing is sent to it before it is confirmed")).to_be_visible()
        counts = re.search(r"(\d+) taken\s+(\d+) failed", card.locator("figcaption").first.inner_text())
        assert counts is not None
        assert int(counts[1]) + int(counts[2]) == 600
        pictures = card.locator("svg")
        expect(pictures).to_have_count(2)
        for picture in pictures.all():
            box = picture.bounding_box()
            assert box is not None
            assert box["width"] >= 250
            assert box["x"] + box["width"] <= size[0]
        # They are drawn by the style of the page, and not as black as SVG is of itself.
        fills = {
            card.locator(f"svg rect.{kind}").first.evaluate("one => getComputedStyle(one).fill")
            for kind in ("good", "bad", "slow")
        }
        assert len(fills) == 3
        assert "rgb(0, 0, 0)" not in fills
        expect(card.locator("svg").first).to_have_accessible_name(re.compile("Attempts: [0-9]+ taken"))


@SIZES
def test_a_subscription_that_is_pushed_shows_its_attempts(stack: Stack, size: tuple[int, int]) -> None:
    name = f"pushed.{size[0]}"
    endpoint(stack, name)
    with browsing(stack, size=size) as page:
        log_in(page, stack)
        _opened(page, name)
        page.get_by_role("link", name=name, exact=True).last.click()
        fits(page, size)
        card = page.locator("#pushed")
        expect(card.locator("tbody tr")).to_have_count(20)
        expect(card.get_by_text("<b>no room</b>").first).to_be_visible()
        expect(card).to_contain_text("Nothing is sent: the endpoint is pending")


@SIZES
def test_one_is_disabled_enabled_and_given_other_secrets(stack: Stack, size: tuple[int, int]) -> None:
    name = f"decided.{size[0]}"
    endpoint(stack, name)
    with browsing(stack, size=size) as page:
        log_in(page, stack)
        _opened(page, name)
        page.get_by_role("link", name="Disable…").click()
        page.get_by_label("Reason").fill("the <b>warehouse</b> moves")
        fits(page, size)
        page.get_by_role("button", name="Disable it").click()
        expect(page.get_by_text("the <b>warehouse</b> moves")).to_be_visible()

        page.get_by_role("link", name="Enable…").click()
        fits(page, size)
        page.get_by_role("button", name="Show what that would mean").click()
        expect(page.get_by_text("it is asked for that first")).to_be_visible()
        page.get_by_role("button", name="Enable it").click()
        expect(page.locator(".messagelist")).to_contain_text("Enabled")

        page.get_by_role("link", name="Rotate…").click()
        page.get_by_role("button", name="Show what that would mean").click()
        fits(page, size)
        page.get_by_role("button", name="Make other secrets").click()
        expect(page.locator(".messagelist")).to_contain_text("whsec_")
        page.wait_for_load_state()
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
