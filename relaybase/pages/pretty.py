"""Payloads made readable for people, as HTML: whatever comes from a channel is hostile, and escaped."""

import json
import re
import unicodedata
from typing import Final

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

MOST: Final = 256 << 10
"""Of a larger payload only the beginning is shown, as it is."""

_MOST_BYTES: Final = 4096
_INDENT: Final = "  "
_TOKEN: Final = re.compile(r'("(?:[^"\\]|\\.)*")|([{\[])|([}\]])|(,)|(:)|([^\s{}\[\],:"]+)', re.DOTALL)


def payload(value: str | bytes) -> tuple[str, SafeString]:
    """What a payload is (`JSON`, `text`, `bytes`), and its HTML for a `<pre>`."""
    if isinstance(value, bytes):
        return "bytes", escape(_dump(value[:_MOST_BYTES]))
    if len(value) <= MOST and _is_structure(value):
        return "JSON", _pretty(value)
    return "text", escape(visible(value[:MOST]))


def is_cut(value: str | bytes) -> bool:
    """Whether `payload` shows only the beginning."""
    return len(value) > (_MOST_BYTES if isinstance(value, bytes) else MOST)


def visible(text: str) -> str:
    """The text with each character that is unseen, or turns others around, as its code."""
    if text.isprintable():
        return text
    return "".join(f"⟨{ord(char):04X}⟩" if _is_unseen(char) else char for char in text)


def _is_unseen(char: str) -> bool:
    return char not in "\n\t" and unicodedata.category(char) in {"Cc", "Cf", "Cs"}


def _is_structure(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False


def _pretty(text: str) -> SafeString:
    """Indented and coloured, token by token: a number keeps its digits, a repeated key is shown twice."""
    out: list[str] = []
    depth = 0
    tokens = list(_TOKEN.finditer(text))
    for at, token in enumerate(tokens):
        string, opening, closing, comma, colon, literal = token.groups()
        after = tokens[at + 1] if at + 1 < len(tokens) else None
        if string is not None:
            kind = "key" if after is not None and after[5] else "string"
            out.append(f'<span class="json-{kind}">{escape(visible(string))}</span>')
        elif opening:
            depth += 1
            out.append(opening if after is not None and after[3] else opening + _line(depth))
        elif closing:
            depth -= 1
            out.append(closing if tokens[at - 1][2] else _line(depth) + closing)
        elif comma:
            out.append("," + _line(depth))
        elif colon:
            out.append(": ")
        else:
            out.append(f'<span class="json-literal">{escape(literal)}</span>')
    return mark_safe("".join(out))  # noqa: S308 - every token is escaped above


def _line(depth: int) -> str:
    return "\n" + _INDENT * min(depth, 40)


def _dump(data: bytes) -> str:
    lines = []
    for at in range(0, len(data), 16):
        part = data[at : at + 16]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{at:08x}  {part.hex(' '):47}  {shown}")
    return "\n".join(lines)
