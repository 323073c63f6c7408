"""Subscriptions as somebody sees them who decides about them, at a desk and with a phone."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.browser import browsing, chromium, log_in
from tests.acceptance.stack import Stack

DESK, HAND = (1440, 900), (390, 844)
SIZES = pytest.mark.parametrize("size", [DESK, HAND], ids=["desk", "hand"])
LIST = "/admin/subscribers_app/subscription/"


@pytest.fixture(scope="module", autouse=True)
def _browser_is_there() -> None:
    chromium()


def post(stack: Stack, path: str, status: int = 200, **data: Any) -> Any:
    answer = stack.http.post(f"/api/v1/{path}", json=data)
    assert answer.status_code == status, answer.text
    return answer.json()


def subscribe(stack: Stack, name: str, texts: int, **more: Any) -> None:
    """To a channel of the same name, with so many messages."""
    post(stack, "channels", 201, channel=name, listen=False)
    post(stack, "subscriptions", 201, name=name, channel=name, start="earliest", **more)
    messages = [{"message": f"{name} {number}"} for number in range(texts)]
    if not messages:
        return
    post(stack, f"channels/{name}/messages?confirm=stored", 201, messages=messages)


def fetch(stack: Stack, name: str, **wanted: Any) -> list[Any]:
    """Waits for the first message."""
    found: list[Any] = post(stack, f"subscriptions/{name}/fetch", **{"wait_seconds": 10, **wanted})[
        "messages"
    ]
    return found


def tokens(messages: list[Any]) -> list[str]:
    return [one["delivery"]["token"] for one in messages]


def fits(page: Page, size: tuple[int, int]) -> None:
    """The page is not wider than the screen, and nothing to be pressed lies beside it."""
    page.wait_for_load_state()  # Before it has its look it is as wide as it likes.
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    for control in page.locator(".card :is(input:not([type=hidden]), button, a.button)").all():
        box = control.bounding_box()
        assert box is not None
        assert box["x"] >= 0, control
        assert box["x"] + box["width"] <= size[0], control


@SIZES
def test_the_list_says_how_each_does(stack: Stack, size: tuple[int, int]) -> None:
    name = f"listed.{size[0]}"
    subscribe(stack, name, 5, mode="lease")
    subscribe(stack, f"{name}-{'without-any-place-to-break-' * 2}", 0, mode="cursor")
    post(stack, f"subscriptions/{name}/ack", tokens=tokens(fetch(stack, name, max=2)))
    with browsing(stack, size=size) as page:
        log_in(page, stack)
        page.goto(f"{LIST}?q={name}")
        row = page.locator("#result_list tbody tr").filter(
            has=page.get_by_role("link", name=name, exact=True)
        )
        expect(row.locator(".field-behind")).to_have_text("3")
        expect(row.locator(".field-handing_out")).to_have_text("active")

        def is_answered() -> bool:
            page.reload()
            return "ack, " in row.locator(".field-answered_last").inner_text()

        # What a web process counts is brought every five seconds.
        until = time.monotonic() + 15
        while not is_answered():
            assert time.monotonic() < until
            time.sleep(0.5)
        assert re.fullmatch(r"0\.0\d+", row.locator(".field-rate").inner_text().strip())
        expect(page.get_by_text("A subscription reads one channel for a program")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        for column in ("name", "behind", "rate", "answered_last"):
            box = row.locator(f".field-{column}").bounding_box()
            assert box is not None
            assert box["x"] + box["width"] <= size[0], column


@SIZES
def test_dead_letters_are_handed_out_again_and_dropped(stack: Stack, size: tuple[int, int]) -> None:
    name = f"dead.{size[0]}"
    subscribe(stack, name, 4, mode="lease", max_deliveries=1)
    given = fetch(stack, name)
    assert len(given) == 4
    post(stack, f"subscriptions/{name}/nack", tokens=tokens(given)[:3])
    with browsing(stack, size=size) as page:
        log_in(page, stack)
        page.goto(f"{LIST}?q={name}")
        page.get_by_role("link", name=name, exact=True).click()
        fits(page, size)
        card = page.locator(".card").filter(has=page.get_by_role("heading", name="Dead letters"))
        expect(card).to_contain_text("Handed out 1 time and never confirmed.")
        expect(card.locator("tbody tr")).to_have_count(3)

        # One that is chosen.
        card.get_by_label(f"choose {given[1]['id']}").check()
        card.get_by_role("button", name="Hand out again…").click()
        expect(page.get_by_text("1 message is handed out again, as if for the first time.")).to_be_visible()
        expect(page.get_by_text("nothing has happened yet")).to_be_visible()
        fits(page, size)
        assert not fetch(stack, name, wait_seconds=0)
        page.get_by_role("button", name="Hand them out again").click()
        expect(page.locator(".messagelist")).to_contain_text("1 message is handed out again")
        expect(card.locator("tbody tr")).to_have_count(2)
        (again,) = fetch(stack, name)
        assert again["id"] == given[1]["id"]

        # All others.
        card.get_by_role("button", name="Drop…").click()
        expect(page.get_by_text("2 messages are let go")).to_be_visible()
        page.get_by_role("link", name=f"Back to {name}").click()
        expect(card.locator("tbody tr")).to_have_count(2)
        card.get_by_role("button", name="Drop…").click()
        page.get_by_role("button", name="Drop them").click()
        expect(card).to_contain_text("None: no message was handed out too often.")
        expect(page.get_by_text("somebody dropped the dead letter")).to_have_count(2)

        # The one that is with a worker.
        card = page.locator(".card").filter(has=page.get_by_role("heading", name="On their way"))
        expect(card.locator("tbody tr")).to_have_count(2)
        row = card.locator("tbody tr").filter(has_text=given[3]["id"])
        row.get_by_role("link", name="Skip…").click()
        expect(page.get_by_text("A worker that has it may not confirm it any more.")).to_be_visible()
        fits(page, size)
        page.get_by_role("button", name="Skip it").click()
        expect(page.get_by_text("somebody skipped it")).to_be_visible()
    (answer,) = post(stack, f"subscriptions/{name}/ack", tokens=tokens(given)[3:])["results"]
    assert not answer["ok"]


@SIZES
def test_somebody_goes_on_from_another_place(stack: Stack, size: tuple[int, int]) -> None:
    name = f"sought.{size[0]}"
    subscribe(stack, name, 6, mode="lease")
    post(stack, f"subscriptions/{name}/ack", tokens=tokens(fetch(stack, name)))
    with browsing(stack, size=size) as page:
        log_in(page, stack)
        page.goto(f"{LIST}?q={name}")
        page.get_by_role("link", name=name, exact=True).click()
        page.get_by_role("link", name="Go on from another place…").click()
        fits(page, size)
        meaning = page.locator(".card").filter(has=page.get_by_role("heading", name="What that would mean"))
        show = page.get_by_role("button", name="Show what that would mean")

        # A time without a time, and then one to which it all comes again.
        page.get_by_label("A time (UTC)").check()
        show.click()
        expect(page.get_by_text("A time is one such as")).to_be_visible()
        expect(meaning).to_have_count(0)
        page.get_by_label("time, UTC").fill("2020-01-31T12:30:15")
        show.click()
        expect(meaning).to_contain_text("6 messages between the two are handed out again, done or not.")
        expect(page.get_by_label("time, UTC")).to_have_value("2020-01-31T12:30:15")
        fits(page, size)
        assert not fetch(stack, name, wait_seconds=0)
        page.get_by_role("button", name="Move the cursor").click()
        expect(page.locator(".messagelist")).to_contain_text(
            "back to right before 2020-01-31 12:30:15.000 UTC."
        )
        again = fetch(stack, name, max=2)
        assert [one["message"] for one in again] == [f"{name} 0", f"{name} 1"]

        # Latest: what comes after the look was not shown, and is not passed over.
        page.get_by_role("link", name="Go on from another place…").click()
        expect(page.get_by_label("Latest")).to_be_checked()
        show.click()
        expect(meaning).to_contain_text("6 messages are not handed out any more.")
        post(stack, f"channels/{name}/messages?confirm=stored", 201, messages=[{"message": "after the look"}])
        page.get_by_role("button", name="Move the cursor").click()
        expect(page.get_by_text("the cursor was moved past it")).to_be_visible()
        assert [one["message"] for one in fetch(stack, name)] == ["after the look"]


@SIZES
def test_one_is_paused_and_resumed(
    stack: Stack, size: tuple[int, int], wait_until: Callable[..., None]
) -> None:
    name = f"paused.{size[0]}"
    subscribe(stack, name, 2, mode="cursor")
    with browsing(stack, size=size) as page:
        log_in(page, stack)
        page.goto(f"{LIST}?q={name}")
        page.get_by_role("link", name=name, exact=True).click()
        page.get_by_role("link", name="Pause…").click()
        page.get_by_label("Reason").fill("the <b>warehouse</b> moves")
        fits(page, size)
        page.get_by_role("button", name="Pause it").click()
        expect(page.get_by_text("hands out nothing: the <b>warehouse</b> moves.")).to_be_visible()
        wait_until(lambda: post(stack, f"subscriptions/{name}/fetch")["state"] == "paused")

        page.get_by_role("link", name="Resume…").click()
        expect(page.get_by_label("Where it stands")).to_be_checked()
        page.get_by_role("button", name="Show what that would mean").click()
        fits(page, size)
        page.get_by_role("button", name="Resume it").click()
        expect(page.locator(".card .pill")).to_have_text("active")
    assert [one["message"] for one in fetch(stack, name)] == [f"{name} 0", f"{name} 1"]
