"""Everything Relay can raise, as one tree, which stands at the top of its module."""

import inspect
import re

from relaycore import errors


def test_the_tree_that_is_drawn_is_the_one_there_is() -> None:
    drawn = re.findall(r"[├└]── (\w+)", errors.__doc__ or "")
    defined = [
        name
        for name, found in inspect.getmembers(errors, inspect.isclass)
        if found.__module__ == errors.__name__
    ]
    assert sorted([*drawn, "RelayError"]) == sorted(defined)
    assert all(getattr(errors, name).__bases__[0] is errors.RelayError for name in drawn)
