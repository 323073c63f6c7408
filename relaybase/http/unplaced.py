"""What a driver says of a server, without where it is and who asks: for answers that everybody may see."""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote

PLACE: Final = "its address"

_NUMBERS: Final = re.compile(r"(?:\b\d{1,3}(?:\.\d{1,3}){3}\b|\[[0-9a-fA-F:.]*:[0-9a-fA-F:.]*\])(?::\d+)?")
_PORT: Final = re.compile(r",? port \d+")
_NAMED: Final = re.compile(r"\b(user|role|database) \"[^\"]*\"|\b(User) \S+(?= has no permissions)")


def places(urls: Iterable[str]) -> list[str]:
    """The hosts and sockets that URLs of servers name, the longest first."""
    found = set[str]()
    for url in urls:
        netloc = url.partition("://")[2].partition("/")[0].partition("?")[0]
        found |= {unquote(_host(one)) for one in netloc.rpartition("@")[2].split(",")}
    return sorted(found - {""}, key=lambda place: (-len(place), place))


def without_places(text: str, known: Iterable[str]) -> str:
    """The text with `PLACE` for each address and what is known, whole words only; no users, no databases."""
    for place in known:
        text = re.sub(rf"(?<![\w.-]){re.escape(place)}(?![\w-])(?::\d+)?", PLACE, text)
    text = _PORT.sub("", _NUMBERS.sub(PLACE, text))
    return _NAMED.sub(lambda found: found[1] or found[2], text)


def _host(one: str) -> str:
    return one.partition("]")[0] + "]" if one.startswith("[") else one.partition(":")[0]
