"""The page of a channel, in a real browser: its messages as they are stored."""

import os
import signal
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.browser import PHONE, browsing, chromium, log_in
from tests.acceptance.stack import Stack
from tests.acceptance.test_in_a_browser import HOSTILE
from tests.acceptance.test_processes_come_back import answers

Wait = Callable[..., None]


@pytest.fixture(scope="module", autouse=True)
def _browser_is_there() -> None:
    chromium()


def make(stack: Stack, channel: str) -> None:
    stack.http.post("/api/v1/channels", json={"channel": channel}).raise_for_status()


def publish(stack: Stack, channel: str, text: str | bytes) -> None:
    kind = "text/plain" if isinstance(text, str) else "application/octet-stream"
    address, headers = f"/api/v1/channels/{channel}/messages", {"Content-Type": kind}
    stack.http.post(address, content=text, headers=headers).raise_for_status()


def open_page(page: Page, stack: Stack, channel: str) -> None:
    log_in(page, stack)
    page.goto(f"/admin/channels_app/channel/?q={channel}")
    page.get_by_role("link", name=channel, exact=True).click()
    expect(page.locator("#relay-live [data-part=state]")).to_have_text("live")


def texts(page: Page) -> list[str]:
    """What it shows, oldest first."""
    return page.locator("#relay-live td.text").all_inner_texts()[::-1]


def test_messages_appear_as_they_are_stored(stack: Stack, wait_until: Wait) -> None:
    make(stack, "seen-live")
    publish(stack, "seen-live", "before anybody looked")
    with browsing(stack) as page:
        open_page(page, stack, "seen-live")
        expect(page.get_by_text("Nothing yet.")).to_be_visible()
        for text in ("first", HOSTILE, b"\xff\x00", "turned \u202e around", "two\nlines"):
            publish(stack, "seen-live", text)
        wait_until(lambda: len(texts(page)) == 5)
        assert texts(page) == ["first", HOSTILE, "bytes", "turned ⟨202E⟩ around", "two\nlines"]
        expect(page.get_by_text("1 watching")).to_be_visible(timeout=10_000)

        # The way to the whole message.
        page.locator("#relay-live tbody a").last.click()
        expect(page.locator("pre.payload")).to_have_text("first")
        page.go_back()

        # However many come, the newest are shown.
        expect(page.locator("#relay-live [data-part=state]")).to_have_text("live")
        lines = "\n".join(f'{{"message": "many {n}"}}' for n in range(500))
        headers = {"Content-Type": "application/x-ndjson"}
        address = "/api/v1/channels/seen-live/messages"
        stack.http.post(address, content=lines, headers=headers).raise_for_status()
        wait_until(lambda: texts(page)[-1:] == ["many 499"])
        assert texts(page) == [f"many {n}" for n in range(450, 500)]


def test_what_is_paused_goes_on_where_it_was(stack: Stack, wait_until: Wait) -> None:
    make(stack, "paused-page")
    with browsing(stack) as page:
        open_page(page, stack, "paused-page")
        publish(stack, "paused-page", "one")
        wait_until(lambda: texts(page) == ["one"])
        page.get_by_role("button", name="Pause").click()
        expect(page.locator("#relay-live [data-part=state]")).to_have_text("paused")
        publish(stack, "paused-page", "two")
        page.wait_for_timeout(500)
        assert texts(page) == ["one"]
        page.get_by_role("button", name="Go on").click()
        wait_until(lambda: texts(page) == ["one", "two"])


def test_a_web_process_that_is_killed_is_a_pause(stack: Stack, wait_until: Wait) -> None:
    make(stack, "killed-under-a-page")
    # The browser itself says that it was cut off.
    with browsing(stack, meant="net::ERR_") as page:
        open_page(page, stack, "killed-under-a-page")
        publish(stack, "killed-under-a-page", "before")
        wait_until(lambda: texts(page) == ["before"])
        killed = stack.pids["web"]
        os.kill(killed, signal.SIGKILL)
        expect(page.locator("#relay-live [data-part=state]")).to_have_text("connecting again")
        wait_until(lambda: stack.pids.get("web", killed) != killed)
        wait_until(lambda: answers(stack), seconds=20)
        publish(stack, "killed-under-a-page", "after")
        wait_until(lambda: texts(page) == ["before", "after"], seconds=20)
        expect(page.locator("#relay-live [data-part=state]")).to_have_text("live")


def test_who_logs_out_is_shown_nothing_more(stack: Stack, wait_until: Wait) -> None:
    make(stack, "logged-out")
    with browsing(stack, meant="status of 40") as page:
        open_page(page, stack, "logged-out")
        other = page.context.new_page()
        other.goto("/admin/")
        other.get_by_role("button", name="Log out").click()
        expect(page.locator("#relay-live [data-part=state]")).to_have_text("ended", timeout=15_000)
        expect(page.locator("#relay-live [data-part=note]")).to_contain_text("You are logged out")
        publish(stack, "logged-out", "a secret")
        page.wait_for_timeout(1000)
        assert texts(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(stack: Stack, wait_until: Wait, scheme: str) -> None:
    channel = f"on-a-phone-{scheme}"
    make(stack, channel)
    with browsing(stack, size=PHONE, scheme=scheme) as page:
        open_page(page, stack, channel)
        publish(stack, channel, "x" * 5000)
        wait_until(lambda: len(texts(page)) == 1)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
        box = page.get_by_role("button", name="Pause").bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= PHONE[0]
        assert box["height"] >= 28
