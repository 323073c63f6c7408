"""Everything Relay can raise, as one tree, which stands at the top of its module."""

import inspect
import re

from relaycore import errors


def test_the_tree_that_is_drawn_is_the_one_there_is() -> None:
    drawn, parents = [], {-1: "RelayError"}
    for before, name in re.findall(r"^    ([│ ]*)[├└]── (\w+)", errors.__doc__ or "", re.MULTILINE):
        depth = len(before) // 4
        drawn.append((name, parents[depth - 1]))
        parents[depth] = name
    defined = [
        name
        for name, found in inspect.getmembers(errors, inspect.isclass)
        if found.__module__ == errors.__name__
    ]
    assert sorted([*(name for name, _ in drawn), "RelayError"]) == sorted(defined)
    assert all(getattr(errors, name).__bases__[0] is getattr(errors, parent) for name, parent in drawn)
