"""Patterns: what RE2 means by them, and that none takes long."""

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relaycore.alerting.labelled.refused import BadMatcher
from relaycore.alerting.labelled.regexes import Regex

_ATOMS = st.sampled_from(["a", "b", "A", ".", "[ab]", "[^a]", "[a-b]", r"\d", r"\w", r"\.", "1", "-", "é"])


def _joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    group = inner.map("(?:{})".format)
    return st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.tuples(inner, inner).map("|".join).map("(?:{})".format),
        st.tuples(group, st.sampled_from(["*", "+", "?", "*?", "{2}", "{1,3}", "{2,}", "{0}"])).map("".join),
    )


_PATTERNS = st.recursive(_ATOMS, _joined, max_leaves=12)
_TEXTS = st.text("aAbB1.-é\n", max_size=12)


@given(_PATTERNS, _TEXTS)
@example("(?:a|(?:b)*)+", "")
@example("(?:(?:a)?){2,}", "aaa")
def test_matches_what_python_matches(pattern: str, text: str) -> None:
    assert Regex(pattern).match(text) is (re.fullmatch(pattern, text, re.ASCII) is not None)


@given(_PATTERNS, _TEXTS)
def test_does_not_ask_for_the_case_if_it_is_told_so(pattern: str, text: str) -> None:
    flags = re.ASCII | re.IGNORECASE
    ascii_only = text.replace("é", "e")
    assert Regex(f"(?i){pattern}").match(ascii_only) is (re.fullmatch(pattern, ascii_only, flags) is not None)


@pytest.mark.parametrize(
    ("pattern", "matching", "not_matching"),
    [
        ("", "", "a"),
        ("^foo$", "foo", "foo "),
        ("^(?:a|b)$|^c", "c", "cc"),
        ("(^a|b$)", "b", "ab"),
        (r"\Afoo\z", "foo", "foo\n"),
        ("a.c", "abc", "a\nc"),
        ("(?s)a.c", "a\nc", "ac"),
        ("(?s:a.)c", "a\nc", "a\n"),
        ("(?i:a)b", "Ab", "AB"),
        ("(?i)a(?-i)b", "Ab", "AB"),
        ("[[:alpha:]]+", "abC", "a1"),
        ("[[:^digit:]]", "a", "1"),
        ("[]a]", "]", "b"),
        ("[^]a]", "b", "]"),
        ("[a-]", "-", "b"),
        (r"[\d.]+", "1.2", "1a"),
        (r"[\D]", "a", "1"),
        (r"\x41\x{1F600}", "A\U0001f600", "A"),
        (r"\Qa.b\E.", "a.bc", "axbc"),
        (r"\Q(", "(", "x"),
        (r"\s", "\t", "\v"),
        ("a{,2}", "a{,2}", "aa"),
        ("a{", "a{", "a"),
        ("(?P<name>a)(?<other>b)", "ab", "a"),
        ("node[0-9]{1,3}\\.example\\.org:9100", "node17.example.org:9100", "node1234.example.org:9100"),
        ("İ", "İ", "i"),
    ],
)
def test_has_the_syntax_of_re2(pattern: str, matching: str, not_matching: str) -> None:
    regex = Regex(pattern)
    assert regex.match(matching)
    assert not regex.match(not_matching)


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(", "nothing closes"),
        ("(?:a", "nothing closes"),
        (")", "closes nothing"),
        ("[a", "nothing closes"),
        ("[z-a]", "below its beginning"),
        ("*a", "nothing before it"),
        ("(|*)", "nothing before it"),
        ("a**", "group around it"),
        ("a{2}{3}", "group around it"),
        ("a{1001}", "up to 1000 times"),
        ("a{3,2}", "up to 1000 times"),
        ("(?=a)", "Looking ahead"),
        ("(?<!a)", "Looking ahead"),
        ("(?m)a", "lines"),
        (r"(a)\1", "not known here"),
        (r"\bfoo", "not known here"),
        (r"\pL", "not known here"),
        ("a\\", "ends with a backslash"),
        (r"\x{110000}", "which there is not"),
        ("a^b", "nothing can come before"),
        ("a$b", "nothing can come before"),
        ("(^a)*", "nothing can come before"),
        ("(?:a{1000}){1000}", "too large"),
        ("(?:(?:(?:){1000}){1000}){1000}", "too large"),
        ("(" * 60 + ")" * 60, "nested"),
        ("a" * 4097, "4096 characters"),
        ("a" * 600, "too large"),
    ],
)
def test_says_what_it_does_not_know(pattern: str, why: str) -> None:
    with pytest.raises(BadMatcher, match=re.escape(why)):
        Regex(pattern)


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|aa)+b", "(a*)*b", "[ab]*a[ab]{400}", "(.*)(.*)(.*)(.*)x"])
def test_does_not_let_a_hostile_one_hold_up_a_processor(pattern: str) -> None:
    regex = Regex(pattern)
    began = time.process_time()
    assert not regex.match("ab" + "a" * 4_000 + "c")
    assert time.process_time() - began < 5
