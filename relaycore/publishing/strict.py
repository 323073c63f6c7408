"""JSON of strangers, read so that whoever else reads it finds the same in it."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, NoReturn

_SHOWN: Final = 60
"""So many characters of a name are said."""


class NameTwice(ValueError):
    """A name that an object has more than once: one reader takes the first value, another one the last.

    Its text is what somebody has: "the name 'id' twice in one object".
    """


def once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these names and values.

    Raises:
        NameTwice: a name is there more than once.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        # The first of them.
        twice = next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
        raise NameTwice(f"the name {twice[:_SHOWN]!r} twice in one object")
    return found


def refuse(constant: str) -> NoReturn:
    """NaN and the infinities, which Python takes for JSON."""
    raise ValueError(f"{constant} is not a JSON number")


decoder: Final = json.JSONDecoder(parse_constant=refuse, object_pairs_hook=once)
"""Raises ValueError, `NameTwice` among them, and RecursionError."""
