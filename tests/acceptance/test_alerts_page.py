"""The page of open alerts in a real browser: on a desk and in a hand, by day and by night, as alerts come."""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.acceptance.browser import DESKTOP, SOON_MS, browsing, chromium, log_in
from tests.acceptance.stack import Stack
from tests.acceptance.test_in_a_browser import HOSTILE

Wait = Callable[..., None]

SMALL = (360, 740)
SIZES = [
    pytest.param(DESKTOP, "light", id="on a desk by day"),
    pytest.param(SMALL, "dark", id="in a hand by night"),
]

ONE_ALERT = re.compile(r"(?<!\d)1 alert(?!s)")


@pytest.fixture(scope="module", autouse=True)
def _browser_is_there() -> None:
    chromium()


@pytest.fixture(scope="module")
def alerted(room: Path) -> Iterator[Stack]:
    """A stack that takes alerts from anybody; the first has come, so that all of it is laid."""
    stack = Stack(room / "alerts", RELAY_ALERTS="open")
    stack.start()
    try:
        post(stack, "Laid", minutes=0.02)
        yield stack
    finally:
        stack.stop()


def post(stack: Stack, location: str, kind: str = "Fire", minutes: float = 30, begins_in: float = 0) -> None:
    at = datetime.now(UTC) + timedelta(minutes=begins_in)
    alert = {"location": location, "type": kind, "timestamp": at.isoformat(), "duration": minutes}
    stack.http.post("/api/alerts", json=alert).raise_for_status()


def card(page: Page, place: str) -> Locator:
    return page.locator(".card").filter(has=page.get_by_role("heading", name=place, exact=True))


def opened(page: Page) -> None:
    page.goto("/alerts/")
    expect(page.locator("#live")).to_have_text("live", timeout=SOON_MS)


@pytest.mark.parametrize(("size", "scheme"), SIZES)
def test_an_alert_appears_grows_is_acknowledged_and_ends_without_loading_anything_again(
    alerted: Stack, size: tuple[int, int], scheme: str
) -> None:
    place = f"Harbour {scheme}"
    with browsing(alerted, size=size, scheme=scheme) as page:
        log_in(page, alerted)
        opened(page)
        post(alerted, place, "Flood", minutes=0.5)
        one = card(page, place)
        expect(one).to_contain_text("Flood", timeout=SOON_MS)
        expect(one).to_contain_text("1 alert")
        expect(page.locator("#said")).to_contain_text(place)
        post(alerted, place, "Fire", minutes=0.6)
        expect(one).to_contain_text("Mixed Threats", timeout=SOON_MS)
        expect(one).to_contain_text("2 alerts")

        # By keyboard alone.
        button = page.get_by_role("button", name=f"Acknowledge: {place}")
        button.focus()
        page.keyboard.press("Enter")
        expect(one).to_contain_text("Seen to by ")
        expect(page.get_by_role("button", name=f"Take back: {place}")).to_be_focused()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog", name=place)
        expect(dialog.locator("li")).to_have_count(2)
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        expect(page.get_by_role("button", name=f"History: {place}")).to_be_focused()

        expect(one).to_have_count(0, timeout=60_000)
        expect(page.locator("#said")).to_have_text(f"{place}: closed.")


@pytest.mark.parametrize(("size", "scheme"), SIZES)
def test_all_of_it_fits_and_is_large_enough_for_a_thumb(
    alerted: Stack, size: tuple[int, int], scheme: str
) -> None:
    long = f"A place with quite a long name, the {'very' * 12} second platform, {scheme}"
    post(alerted, long)
    post(alerted, HOSTILE)
    post(alerted, f"Later {scheme}", begins_in=10)
    with browsing(alerted, size=size, scheme=scheme) as page:
        log_in(page, alerted)
        opened(page)
        expect(card(page, long)).to_be_visible(timeout=SOON_MS)
        expect(page.locator("#now")).to_contain_text(HOSTILE)
        expect(page.locator("#ahead")).to_contain_text(f"Later {scheme}", timeout=SOON_MS)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= size[0]
        for button in page.locator("main button:visible").all():
            box = button.bounding_box()
            assert box is not None
            assert box["height"] >= 44
            assert box["width"] >= 44
        page.get_by_role("button", name=f"History: {long}").click()
        box = page.locator("dialog").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= size[0]


def test_a_page_that_is_not_live_says_so_and_shows_what_came_when_it_is_again(
    alerted: Stack, wait_until: Wait
) -> None:
    with browsing(alerted, meant="ERR_") as page:
        log_in(page, alerted)
        opened(page)
        os.kill(alerted.pids["web"], signal.SIGKILL)
        expect(page.locator("#live")).to_have_text("not live", timeout=SOON_MS)
        expect(page.locator("#banner")).to_contain_text("Not live since")
        wait_until(lambda: _is_taken(alerted, "While it was away"), seconds=40)
        expect(page.locator("#live")).to_have_text("live", timeout=60_000)
        expect(page.locator("#banner")).to_be_hidden(timeout=SOON_MS)
        expect(card(page, "While it was away")).to_be_visible(timeout=SOON_MS)


def test_a_phone_without_a_network_says_so_at_once(alerted: Stack) -> None:
    with browsing(alerted, meant="ERR_") as page:
        log_in(page, alerted)
        opened(page)
        page.context.set_offline(True)
        expect(page.locator("#live")).to_have_text("not live", timeout=SOON_MS)
        expect(page.locator("#banner")).to_contain_text("Relay does not answer.")
        page.context.set_offline(False)
        expect(page.locator("#live")).to_have_text("live", timeout=SOON_MS)
        expect(page.locator("#banner")).to_be_hidden(timeout=SOON_MS)


def test_a_page_whose_server_stands_still_does_not_go_on_looking_live(alerted: Stack) -> None:
    with browsing(alerted, meant="ERR_") as page:
        log_in(page, alerted)
        opened(page)
        web = alerted.pids["web"]
        os.kill(web, signal.SIGSTOP)
        try:
            # It asks when somebody looks at it again, and once a minute. No connection ends.
            page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
            expect(page.locator("#live")).to_have_text("not live", timeout=SOON_MS)
            expect(page.locator("#banner")).to_contain_text("Not live since")
            expect(page.locator("#banner")).to_contain_text("Relay does not answer.")
        finally:
            os.kill(web, signal.SIGCONT)
        expect(page.locator("#live")).to_have_text("live", timeout=60_000)
        post(alerted, "After it stood still")
        expect(card(page, "After it stood still")).to_be_visible(timeout=SOON_MS)


def test_what_somebody_else_publishes_as_told_by_a_rule_is_not_shown(alerted: Stack) -> None:
    post(alerted, "Told by the rule")
    http = alerted.http
    http.post("/api/v1/channels", json={"channel": "elsewhere", "listen": False}).raise_for_status()
    http.post("/api/v1/channels", json={"channel": "elsewhere.in", "listen": False}).raise_for_status()
    key = {"key": ["location"], "start": "receipt", "duration": {"seconds": 60}, "merge": {"type": "Several"}}
    rule = {"name": "elsewhere", "channel": "elsewhere.in", "to": "elsewhere", "kind": "window"}
    http.post("/api/v1/rules", json={**rule, "start": "latest", "settings": key}).raise_for_status()
    with browsing(alerted) as page:
        log_in(page, alerted)
        opened(page)
        one = card(page, "Told by the rule")
        expect(one).to_be_visible(timeout=SOON_MS)
        row = next(
            row
            for row in http.get("/api/v1/alerts").json()["results"]
            if row["key"] == {"location": "Told by the rule"}
        )
        (told,) = http.get(f"/api/v1/alerts/{row['id']}").json()["history"]
        said = {**told["attributes"], "event": "close", "cause": "9" * 13}  # Later than all that is shown.
        closing = {"message": told["message"], "attributes": said}
        for channel in ("elsewhere", told["channel"]):
            http.post(f"/api/v1/channels/{channel}/messages", json=closing).raise_for_status()
        other = {"message": '{"location": "Told by the other", "type": "Fire"}'}
        http.post("/api/v1/channels/elsewhere.in/messages", json=other).raise_for_status()
        expect(card(page, "Told by the other")).to_be_visible(timeout=SOON_MS)
        expect(one).to_be_visible()


def _is_taken(stack: Stack, place: str) -> bool:
    try:
        post(stack, place)
    except Exception:
        return False
    return True


def test_nobody_in_particular_sees_what_is_public_and_no_button(alerted: Stack) -> None:
    post(alerted, "Seen by all")
    with browsing(alerted, size=SMALL) as page:
        opened(page)
        expect(card(page, "Seen by all")).to_be_visible(timeout=SOON_MS)
        expect(page.get_by_role("button", name="Acknowledge")).to_have_count(0)
        page.get_by_role("button", name="History: Seen by all").click()
        expect(page.get_by_role("dialog").locator("li")).to_have_count(1)


def test_what_came_just_before_the_page_was_read_is_counted_once(alerted: Stack) -> None:
    with browsing(alerted) as page:
        for number in range(5):
            place = f"Just before {number}"
            post(alerted, place)
            expect_open(alerted, place)
            opened(page)
            read_at = page.evaluate("Date.parse(JSON.parse(document.getElementById('state').textContent).at)")
            # What comes live comes in order: once this is there, the other one has come as well.
            post(alerted, f"Behind {number}")
            expect(card(page, f"Behind {number}")).to_be_visible(timeout=SOON_MS)
            expect(card(page, place)).to_contain_text(ONE_ALERT)
            if read_at - came_at(alerted, place) < 1000:
                return
    pytest.fail("the page was never read soon enough after an alert had come")


def expect_open(stack: Stack, place: str) -> None:
    """Returns as soon as the page would read it."""
    end = time.monotonic() + SOON_MS / 1000
    while not any(one["key"]["location"] == place for one in is_open(stack)):
        assert time.monotonic() < end, f"{place} was not opened"


def is_open(stack: Stack) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stack.http.get("/alerts/state").raise_for_status().json()["alerts"]
    return found


def came_at(stack: Stack, place: str) -> float:
    """When it came, ms since 1970."""
    (found,) = (one for one in is_open(stack) if one["key"]["location"] == place)
    return datetime.fromisoformat(found["opened_at"]).timestamp() * 1000


def test_two_pages_show_the_same_and_what_one_acknowledges_the_other_learns(alerted: Stack) -> None:
    post(alerted, "Between two")
    with browsing(alerted) as page:
        log_in(page, alerted)
        opened(page)
        other = page.context.new_page()
        opened(other)
        for one in (page, other):
            expect(card(one, "Between two")).to_be_visible(timeout=SOON_MS)
        card(page, "Between two").get_by_role("button", name="Acknowledge").click()
        expect(card(page, "Between two")).to_contain_text("Seen to by")
        # It asks when somebody looks at it again, and once a minute.
        other.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        expect(card(other, "Between two")).to_contain_text("Seen to by", timeout=SOON_MS)


def test_what_is_over_and_was_not_closed_is_said_to_be_so(alerted: Stack) -> None:
    post(alerted, "Never closed")
    with browsing(alerted) as page:
        log_in(page, alerted)
        opened(page)
        expect(card(page, "Never closed")).to_be_visible(timeout=SOON_MS)
        # By the page's own clock, which goes on by an hour.
        page.evaluate("{ const now = Date.now; Date.now = () => now() + 3_600_000; }")
        expect(card(page, "Never closed")).to_contain_text("Over, and not closed yet", timeout=SOON_MS)
