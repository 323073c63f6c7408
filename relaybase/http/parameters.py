"""The query parameters of a request, read strictly: a misspelt filter must not list everything."""

import re
from datetime import UTC, datetime
from typing import Final, Protocol

from django.http import QueryDict
from rest_framework.exceptions import ParseError
from rest_framework.settings import api_settings

_NOT_TEXT = re.compile("[\0\ud800-\udfff]")

ROWS: Final = 100
MOST_ROWS: Final = 1000

_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


def is_text(value: str) -> bool:
    """Whether servers here keep this as text: it has no NUL in it, and no half of a surrogate pair."""
    return _NOT_TEXT.search(value) is None


class Asked(Protocol):
    """A request of REST framework, or to a hot endpoint."""

    @property
    def query_params(self) -> QueryDict:
        """What comes after the question mark."""


class Parameters:
    """What comes after the question mark.

    All of it raises ParseError, the answer 400, with a sentence that says what to give.
    """

    def __init__(self, request: Asked, *known: str) -> None:
        self._given = request.query_params
        if not self._given:
            return
        # `?format=json` chooses the renderer, at every address.
        unknown = sorted(set(self._given) - {*known, api_settings.URL_FORMAT_OVERRIDE})
        if unknown:
            raise ParseError(f"Unknown parameter {_listed(unknown)}. Here one can give: {_listed(known)}.")
        # One of them would be passed over, and the answer be to another question than was asked.
        repeated = sorted(name for name, values in self._given.lists() if len(values) > 1)
        if repeated:
            raise ParseError(f"{_listed(repeated)} can be given once only.")

    def text(self, name: str) -> str | None:
        """As it is; None if it is not given."""
        if not self._given:
            return None  # What is called once per message has none, and Django's takes its time to say so.
        value = self._given.get(name)
        if value is not None and not is_text(value):
            raise ParseError(f"{name} must be text without NUL.")
        return value

    def one_of(self, name: str, choices: list[str]) -> str | None:
        """One of `choices`; None if it is not given."""
        value = self.text(name)
        if value is not None and value not in choices:
            raise ParseError(f"{name} must be {' or '.join(choices)}.")
        return value

    def time(self, name: str) -> datetime | None:
        """A time as ISO 8601 has it, UTC if it does not say; None if it is not given."""
        value = self.text(name)
        if value is None:
            return None
        try:
            # A plus that was not quoted arrives as a space.
            time = datetime.fromisoformat(re.sub(r" (?=[0-9]{2}:?[0-9]{2}\Z)", "+", value))
            return time.replace(tzinfo=time.tzinfo or UTC).astimezone(UTC)
        except (ValueError, OverflowError) as exc:
            raise ParseError(f"{name} must be a time such as 2026-11-21T12:00:00Z.") from exc

    def limit(self) -> int:
        """How many rows a page is to have: from 1 to `MOST_ROWS`; `ROWS` if it is not given."""
        value = self._given.get("limit", str(ROWS))
        if not re.fullmatch("[0-9]{1,9}", value) or not 1 <= int(value) <= MOST_ROWS:
            raise ParseError(f"limit must be a whole number from 1 to {MOST_ROWS}.")
        return int(value)

    def seconds(self, name: str, *, most: float) -> float:
        """A number of seconds from 0 to `most`; 0 if it is not given."""
        value = self._given.get(name, "0")
        if not _NUMBER.fullmatch(value) or float(value) > most:
            raise ParseError(f"{name} must be a number of seconds from 0 to {most:g}.")
        return float(value)


def _listed(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(repr(name) for name in names) or "nothing"
