"""What the documentation links to is there: files, pictures, headings."""

import re
from pathlib import Path

import pytest

from tests.acceptance.documented import PAGES, read
from tests.acceptance.stack import ROOT

_LINK = re.compile(r'\]\(([^)\s]+)\)|(?:src|srcset)="([^"]+)"')


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", read(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_leads_somewhere(page: Path) -> None:
    for found in _LINK.findall(read(page)):
        path, _, anchor = "".join(found).partition("#")
        if path.startswith("https://"):
            continue
        target = page.parent / path if path else page
        assert (ROOT / target).exists(), path
        assert not anchor or anchor in _anchors(target), f"{path}#{anchor}"


def test_pages_and_links_are_found() -> None:
    assert {Path(page) for page in ("README.md", "docs/api.md", "deploy/kubernetes/README.md")} <= {*PAGES}
    assert _LINK.findall('[a](b.md#c) <img src="d.png">') == [("b.md#c", ""), ("", "d.png")]
