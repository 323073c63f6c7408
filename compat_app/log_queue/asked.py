"""What a request says: its query and its JSON body, in one."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from compat_app.log_queue.failures import Failure
from relaybase.http import parsers

TOPIC: Final = ("topic", "topic_name", "name")
"""These mean the same."""

_MOST_PARAMETERS: Final = 100
_MOST_ID: Final = (1 << 63) - 1
_ID: Final = re.compile(r"[0-9]{1,19}", re.ASCII)
_NUMBER: Final = re.compile(r"-?[0-9]{1,30}", re.ASCII)


def read(query: bytes, body: bytes) -> "Said":
    """The parameters of both. What stands in the body comes before what stands in the query.

    Raises:
        Failure: the query cannot be read, or the body is no JSON object.
        ParseError: the body is not JSON.
    """
    found = _parsed(query) if query else {}
    if body and not body.isspace():
        given = parsers.decode(body)
        if not isinstance(given, dict):
            raise Failure("The body must be a JSON object.")
        found |= given
    return Said(found)


def _parsed(query: bytes) -> dict[str, Any]:
    try:
        text = query.decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS)
    except ValueError as exc:
        raise Failure("The query cannot be read: it is not UTF-8, or has too many parameters.") from exc
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Failure("The query has a parameter twice.")
    return found


class Said:
    """The parameters of a request. What nobody asks for is ignored."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given

    def topic(self) -> str:
        """The name of the topic.

        Raises:
            Failure: it is missing, empty, or no text.
        """
        found = next((self._given[name] for name in TOPIC if name in self._given), None)
        if not isinstance(found, str) or not found:
            raise Failure("A topic must be given: a text that is not empty.")
        return found

    def id(self, name: str) -> int:
        """A number by which somebody is known; as a number, or its decimal text.

        Raises:
            Failure: it is neither.
        """
        found = self._given.get(name)
        if isinstance(found, str) and _ID.fullmatch(found):
            found = int(found)
        if type(found) is not int or not 0 <= found <= _MOST_ID:
            raise Failure(f"{name} must be given: a number.")
        return found

    def number(self, name: str) -> int:
        """Any whole number, or its decimal text. Raises as `id`."""
        found = self._given.get(name)
        if isinstance(found, str) and _NUMBER.fullmatch(found):
            found = int(found)
        if type(found) is not int:
            raise Failure(f"{name} must be given: a whole number.")
        return found

    def message(self) -> str:
        """The text to produce; it may be empty.

        Raises:
            Failure: it is missing, or no text.
        """
        found = self._given.get("message")
        if not isinstance(found, str):
            raise Failure("A message must be given: a text.")
        return found

    def client(self) -> str | None:
        """What the program calls itself; None if it does not say.

        Raises:
            Failure: it is neither a text nor a number, or too long.
        """
        found = self._given.get("prod_client")
        if found is None:
            return None
        if type(found) is int:
            found = str(found)
        if not isinstance(found, str) or not 1 <= len(found) <= 255 or "\0" in found:
            raise Failure("prod_client must be a text of 1 to 255 characters, or a number.")
        return found
