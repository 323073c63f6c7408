"""A real browser, headless, that lets nothing run that a page did not bring as a file."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Dialog, Page, Route, expect, sync_playwright

from tests.acceptance.stack import Stack

POLICY = "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
DESKTOP, PHONE = (1280, 800), (390, 844)

SOON_MS = 20_000
"""So long a page may take to show what a test expects of it, on a machine that others need as well."""

expect.set_options(timeout=SOON_MS)


def chromium() -> str:
    """The path of Chromium; the test is skipped where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    pytest.skip("no Chromium here: apt-get install chromium")


@contextmanager
def browsing(
    stack: Stack,
    *,
    scheme: str = "light",
    size: tuple[int, int] = DESKTOP,
    scale: float = 1,
    meant: str | None = None,
) -> Iterator[Page]:
    """A page on a stack. Fails at the end if it has logged an error, or opened a dialog.

    `meant`: what the errors have in them that the test itself brings about.
    """
    complaints: list[str] = []

    def answer(dialog: Dialog) -> None:
        complaints.append(dialog.message)
        dialog.dismiss()

    with sync_playwright() as playwright:
        # Without its sandbox, which does not start for root, as in most containers.
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        context = browser.new_context(
            base_url=stack.info["web"],
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if scheme == "dark" else "light",
            device_scale_factor=scale,
        )
        context.route("**/admin/**", _with_policy)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", answer)
        try:
            yield page
        finally:
            context.unroute_all(behavior="ignoreErrors")
            browser.close()
    assert not [said for said in complaints if meant is None or meant not in said]


def log_in(page: Page, stack: Stack) -> None:
    """As the operator that the stack made."""
    operator = json.loads((stack.data / "operator.json").read_text())
    page.goto("/admin/")
    page.get_by_label("Username").fill(operator["user"])
    page.get_by_label("Password").fill(operator["password"])
    page.get_by_role("button", name="Log in").click()
    page.wait_for_selector("#relay-home")


def _with_policy(route: Route) -> None:
    """Whatever the server says, the strictest policy that the pages are made for holds."""
    answer = route.fetch(max_redirects=0)
    route.fulfill(response=answer, headers={**answer.headers, "content-security-policy": POLICY})
