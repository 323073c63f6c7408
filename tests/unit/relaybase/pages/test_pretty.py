"""Payloads as HTML: readable, whole, and harmless."""

import html
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaybase.pages import pretty

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def text_of(markup: str) -> str:
    """What a reader sees: without our own tags, which are the only ones."""
    return html.unescape(re.sub(r'<span class="json-(?:key|string|literal)">|</span>', "", markup))


def test_json_is_set_out_by_its_structure() -> None:
    kind, markup = pretty.payload('{"a": [1, {}, []], "b":{"c":null}}')

    assert kind == "JSON"
    assert text_of(markup) == ('{\n  "a": [\n    1,\n    {},\n    []\n  ],\n  "b": {\n    "c": null\n  }\n}')
    assert '<span class="json-key">&quot;a&quot;</span>' in markup
    assert '<span class="json-literal">null</span>' in markup


def test_numbers_keep_their_digits_and_repeated_keys_stay() -> None:
    _, markup = pretty.payload('{"big": 12345678901234567890.10, "k": 1e400, "k": "\\u0041"}')

    shown = text_of(markup)
    assert "12345678901234567890.10" in shown
    assert '"k": 1e400,' in shown
    assert '"\\u0041"' in shown


@given(JSON.filter(lambda value: isinstance(value, dict | list)))
def test_what_is_shown_is_still_the_same_json(value: object) -> None:
    kind, markup = pretty.payload(json.dumps(value))

    assert kind == "JSON"
    assert json.loads(text_of(markup)) == value


@given(st.text())
def test_nothing_in_a_text_becomes_markup(text: str) -> None:
    _, markup = pretty.payload(text)

    assert set(re.findall("<[^>]*>?", markup)) <= {
        '<span class="json-key">',
        '<span class="json-string">',
        '<span class="json-literal">',
        "</span>",
    }


@pytest.mark.parametrize(
    "hostile",
    ["<script>alert(1)</script>", "</pre><img src=x onerror=alert(1)>", '{"<b>": "</pre><script>"}', "'\"&"],
)
def test_hostile_text_is_shown_and_does_nothing(hostile: str) -> None:
    _, markup = pretty.payload(hostile)

    assert "<script" not in markup
    assert "<img" not in markup
    assert "</pre" not in markup


def test_unseen_characters_are_seen() -> None:
    assert pretty.visible("a\u202eb\0c\td\n\u200be") == "a⟨202E⟩b⟨0000⟩c\td\n⟨200B⟩e"
    assert pretty.visible("grüße 🎉") == "grüße 🎉"


def test_bytes_are_dumped() -> None:
    kind, markup = pretty.payload(b"\xff<b>\x00" + bytes(range(20)))

    assert kind == "bytes"
    assert markup.startswith("00000000  ff 3c 62 3e 00 00 01")
    assert "&lt;b&gt;" in markup
    assert "\n00000010  " in markup


def test_only_the_beginning_of_a_large_payload_is_shown() -> None:
    large = '["' + "x" * pretty.MOST + '"]'

    kind, markup = pretty.payload(large)

    assert (kind, len(markup) < pretty.MOST + 100) == ("text", True)
    assert pretty.is_cut(large)
    assert not pretty.is_cut("[]")


def test_json_nested_too_deep_is_text() -> None:
    assert pretty.payload("[" * 100_000 + "]" * 100_000)[0] == "text"
