"""A page's form as a browser sends it back."""

from html.parser import HTMLParser
from typing import Any

from django.test import Client

ADD = "/admin/channels_app/channel/add/"


class _Fields(HTMLParser):
    """The fields of the form that has `csrfmiddlewaretoken` or any other, with what they show."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._select = ""
        self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Inputs, and the chosen options of selects."""
        given = dict(attrs)
        name, value = given.get("name"), given.get("value") or ""
        if tag == "select":
            self._select = name or ""
        elif tag == "textarea":
            self._area = name or ""
            self.found[self._area] = ""
        elif tag == "option" and "selected" in given and self._select:
            self.found[self._select] = value
        elif tag == "input" and name and given.get("type") not in {"submit", "button"}:
            if given.get("type") not in {"checkbox", "radio"}:
                self.found[name] = value
            elif "checked" in given:
                self.found[name] = given.get("value") or "on"

    def handle_endtag(self, tag: str) -> None:
        """A select or a textarea ends."""
        if tag == "select":
            self._select = ""
        elif tag == "textarea":
            # A line that is empty comes first, and is not of it.
            self.found[self._area] = self.found[self._area].removeprefix("\n")
            self._area = ""

    def handle_data(self, data: str) -> None:
        """What stands in a textarea."""
        if self._area:
            self.found[self._area] += data


def filled(page: str, **changed: Any) -> dict[str, Any]:
    """What the form on this page says, with these fields changed; None: left out, as an empty checkbox is."""
    fields = _Fields()
    fields.feed(page)
    said = {**fields.found, **changed}
    return {name: value for name, value in said.items() if value is not None}


def add_channel(browser: Client, name: str) -> Any:
    """Send back the form for a new channel with this name, and nothing else changed; the answer."""
    return browser.post(ADD, filled(browser.get(ADD).content.decode(), channel=name))
