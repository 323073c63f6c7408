"""Patterns of text with `*`, which is any number of characters. A backslash takes `*` and `\\` as they are.

Each piece between two stars is taken where it comes first, and never looked for again: only both ends are
fixed. So there is nothing to try twice.
"""

import re
from collections.abc import Sequence
from typing import Final

_TOKEN: Final = re.compile(r"\\([*\\])|([^*\\]++)|(\*)", re.DOTALL)


def pieces(pattern: str) -> list[str] | None:
    """What stands between its stars; None: a backslash stands before something else."""
    found, at = [""], 0
    while at < len(pattern):
        if (token := _TOKEN.match(pattern, at)) is None:
            return None
        if token[3] is not None:
            found.append("")
        else:
            found[-1] += token[1] or token[2]
        at = token.end()
    return found


def fits(text: str, parts: Sequence[str]) -> bool:
    """Whether this text is one of the pattern with these pieces."""
    first, last = parts[0], parts[-1]
    if len(parts) == 1:
        return text == first
    at, end = len(first), len(text) - len(last)
    if at > end or not text.startswith(first) or not text.endswith(last):
        return False
    for part in parts[1:-1]:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
