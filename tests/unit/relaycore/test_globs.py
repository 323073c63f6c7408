"""Patterns of channel names. That Redis takes them the same way, tests/integration/test_globs.py asks it."""

import time

import pytest

from relaycore.globs import Glob, escaped

# Pattern, names that it matches, names that it does not.
CASES = [
    ("*", ["", "a", "é", "a\nb"], []),
    ("orders.*", ["orders.", "orders.new"], ["orders", "xorders.new", "ordersXnew"]),
    ("orders", ["orders"], ["orders.new", "order", "ORDERS"]),
    ("*.eu.*", ["a.eu.b", ".eu.", "eu.eu.eu"], ["eu", "a.eu"]),
    ("a?c", ["abc", "a*c"], ["ac", "abbc", "aéc"]),
    ("a??c", ["aéc"], ["aéec"]),
    ("[ab]1", ["a1", "b1"], ["c1", "1"]),
    ("[a-c]", ["a", "b", "c"], ["d", "-"]),
    ("[c-a]", ["a", "b", "c"], ["d"]),
    ("[^a-c]", ["d", "-"], ["a", "b", ""]),
    ("[!a]", ["!", "a"], ["b"]),
    ("[]a]", [], ["]a]", "a", "]", "a]"]),
    ("[^]", ["a"], ["", "ab"]),
    ("[abc", ["a", "c"], ["[abc", "d"]),
    (r"[\]]", ["]"], ["\\", "\\]"]),
    (r"[\a-c]", ["a", "-", "c"], ["b"]),
    (r"\*", ["*"], ["a", "\\*"]),
    (r"a\?b", ["a?b"], ["axb"]),
    ("a\\", ["a\\"], ["a"]),
    ("a.b", ["a.b"], ["axb"]),
    ("a+(b)|c$", ["a+(b)|c$"], ["ab", "c"]),
    ("**a**", ["a", "xax"], ["x"]),
    ("größe.*", ["größe.1"], ["grosse.1"]),
]


@pytest.mark.parametrize(("pattern", "matched", "others"), CASES, ids=lambda case: str(case)[:20])
def test_a_pattern_matches_as_in_redis(pattern: str, matched: list[str], others: list[str]) -> None:
    glob = Glob(pattern)

    assert [name for name in matched if not glob.matches(name)] == []
    assert [name for name in others if glob.matches(name)] == []


def test_what_is_simple_is_known_to_be() -> None:
    assert (Glob("orders").literal, Glob("orders").prefix) == ("orders", None)
    assert (Glob(r"a\*b").literal, Glob(r"a\*b").prefix) == ("a*b", None)
    assert (Glob("orders.*").literal, Glob("orders.*").prefix) == (None, "orders.")
    assert (Glob("*").literal, Glob("*").prefix) == (None, "")
    assert (Glob("a?*").literal, Glob("a?*").prefix) == (None, None)


@pytest.mark.parametrize("name", ["*", "a?", "[ab]", "\\\\", "\\\\*", "orders", "größe", "^$.+"])
def test_what_is_escaped_matches_itself_alone(name: str) -> None:
    glob = Glob(escaped(name))
    assert glob.literal == name
    assert not glob.matches(name + "x")


def test_half_of_a_surrogate_pair_is_a_name_as_any_other() -> None:
    assert Glob("a*").matches("a\ud800")
    assert Glob("[^b]*").matches("\ud800")


def test_no_pattern_takes_long() -> None:
    began = time.thread_time()
    assert not Glob("*a" * 120 + "b").matches("a" * 255)
    assert not Glob("*[ab]?" * 40 + "c").matches("ab" * 127)

    assert time.thread_time() - began < 0.5
