"""The pictures in docs/, taken anew: `python -m tests.acceptance.take_screenshots`.

Starts a stack with data of its own, publishes to it for two minutes, and looks at it.
"""

import json
import random
import shutil
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page

from tests.acceptance.browser import browsing, log_in
from tests.acceptance.stack import ROOT, Stack

PICTURES = ROOT / "docs" / "pictures"
CHANNELS = ["orders", "payments.eu", "payments.us", "inventory", "shipments", "sensors/hall-3", "audit"]
SECONDS = 120
NAMES = ["Ada Lovelace", "Grace Hopper", "Edsger Dijkstra", "Barbara Liskov", "Radia Perlman"]


def _publish(stack: Stack) -> None:
    chance = random.Random(5)
    until = time.monotonic() + SECONDS
    number = 1000
    while time.monotonic() < until:
        for at, channel in enumerate(CHANNELS):
            for _ in range(chance.randrange(0, 9 - at)):
                number += 1
                stack.redis.publish(channel, _message(chance, number))
        time.sleep(chance.choice([0.1, 0.2, 0.4]) * (1.0 + 2.0 * (int(time.monotonic()) // 20 % 2)))
    stack.redis.publish("audit", "x" * ((1 << 20) + 1))
    stack.redis.publish("orders", _message(chance, number + 1))
    time.sleep(6)


def _message(chance: random.Random, number: int) -> str:
    items = [{"sku": f"A-{chance.randrange(100)}", "quantity": chance.randrange(1, 5)} for _ in range(2)]
    message = {
        "id": f"ord-{number}",
        "customer": {"name": chance.choice(NAMES), "vip": chance.random() < 0.2},
    }
    return json.dumps(message | {"items": items, "total": chance.randrange(500, 90_000) / 100, "note": None})


def _look(page: Page, stack: Stack, scheme: str) -> None:
    log_in(page, stack)
    page.wait_for_timeout(3000)
    page.screenshot(path=PICTURES / f"home-{scheme}.png")
    page.goto("/admin/channels_app/channel/", wait_until="networkidle")
    page.screenshot(path=PICTURES / f"channels-{scheme}.png")
    page.goto("/admin/messages_app/message/?channel=orders")
    page.locator(".messages tbody a").first.click()
    page.wait_for_selector("pre.payload")
    page.wait_for_load_state("networkidle")
    page.screenshot(path=PICTURES / f"message-{scheme}.png")
    _look_live(page, stack, scheme)
    page.goto("/api/docs", wait_until="networkidle")
    page.wait_for_selector(".opblock")
    page.screenshot(path=PICTURES / f"docs-{scheme}.png")


def _look_live(page: Page, stack: Stack, scheme: str) -> None:
    """The page of a channel while messages come."""
    page.goto("/admin/channels_app/channel/?q=orders")
    page.get_by_role("link", name="orders", exact=True).click()
    page.locator("#relay-live .pill.good").wait_for()
    chance = random.Random(7)
    first = {"light": 9000, "dark": 9100}[scheme]  # Equal texts would be stored once.
    for number in range(first, first + 7):
        stack.redis.publish("orders", _message(chance, number))
        page.wait_for_timeout(700)
    page.locator("#relay-live").scroll_into_view_if_needed()
    page.wait_for_timeout(3500)
    page.screenshot(path=PICTURES / f"live-{scheme}.png")


def main() -> None:
    """Take them all."""
    PICTURES.mkdir(exist_ok=True)
    room = Path(tempfile.mkdtemp(prefix="relay-pictures-"))
    room.chmod(0o755)
    stack = Stack(room / "data")
    stack.start()
    try:
        for channel in CHANNELS:
            stack.listen_to(channel)
        _publish(stack)
        for scheme in ("light", "dark"):
            with browsing(stack, scheme=scheme, size=(1280, 860)) as page:
                _look(page, stack, scheme)
    finally:
        stack.stop()
        shutil.rmtree(room, ignore_errors=True)


if __name__ == "__main__":
    main()
