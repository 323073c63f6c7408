"""Where a message stands in its partition: stream entry id and index in the entry.

Written as text of fixed width, so that text order is stream order in every
database and every language: `1732190000000-0000000003-00012` is the message with
index 12 of the stream entry `1732190000000-3`.
"""

import re
from typing import Final

MAX_MESSAGES_PER_ENTRY: Final = 100_000
"""The index has five digits. `relaycore.capturing.capture` closes an entry long before."""

POSITION_CHARS: Final = 30

NEVER: Final = "0-0"
"""The id that is below that of every entry."""

START: Final = "0000000000000-0000000000-00000"
"""Before every message."""

LAST_MILLISECOND: Final = 9_999_999_999_999
"""The last for which there are positions, ms since 1970: in the year 2286."""

_MOST_IN_A_MILLISECOND: Final = 9_999_999_999

_ENTRY_ID: Final = re.compile(r"([0-9]{1,13})-([0-9]{1,10})\Z")
_POSITION: Final = re.compile(r"[0-9]{13}-[0-9]{10}-[0-9]{5}\Z")


def entry_prefix(entry_id: str) -> str:
    """The part of a position that all messages of one entry share, with its last dash.

    `entry_id` is what Redis answers to XADD: milliseconds, dash, sequence number.

    Raises:
        ValueError: for anything else, and for milliseconds after the year 2286.
    """
    match = _ENTRY_ID.match(entry_id)
    if match is None:
        raise ValueError(f"not a stream entry id: {entry_id!r}")
    return f"{int(match[1]):013d}-{int(match[2]):010d}-"


def first_of(entry_id: str) -> str:
    """The position of the first message of an entry."""
    return entry_prefix(entry_id) + "00000"


def last_of(entry_id: str) -> str:
    """Above every message of an entry, and below the next one: no entry has so many."""
    return entry_prefix(entry_id) + "99999"


def at_millisecond(milliseconds: int) -> str:
    """The lowest position that is appended in this millisecond or later, ms since 1970.

    For any number: before 1970 it is the first there is, after 2286 the first of the last millisecond.
    """
    return first_of(f"{min(max(0, milliseconds), LAST_MILLISECOND)}-0")


def before_millisecond(milliseconds: int) -> str:
    """The position right below that. For any number, as `at_millisecond`."""
    if milliseconds <= 0:
        return START
    return last_of(f"{min(milliseconds, LAST_MILLISECOND) - 1}-{_MOST_IN_A_MILLISECOND}")


def previous_position(position: str) -> str:
    """The position right below this one: the highest that an earlier message can have."""
    milliseconds, number, index = map(int, position.split("-"))
    if index:
        return f"{entry_prefix(f'{milliseconds}-{number}')}{index - 1:05d}"
    return last_of(f"{milliseconds}-{number - 1}") if number else before_millisecond(milliseconds)


def next_position(entry_id: str) -> str:
    """The position right behind an entry: the lowest that a later one may get."""
    milliseconds, number = order(entry_id)
    return first_of(f"{milliseconds}-{number + 1}")


def entry_of(prefix: str) -> str:
    """The id of the entry to which a position, or a prefix of positions, belongs."""
    milliseconds, number, _ = prefix.split("-")
    return f"{int(milliseconds)}-{int(number)}"


def milliseconds_of(entry_id: str) -> int:
    """When an entry was appended, by Redis's clock: milliseconds since 1970."""
    return int(entry_id.partition("-")[0])


def order(entry_id: str) -> tuple[int, int]:
    """By which ids are compared."""
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number)


def is_position(text: str) -> bool:
    """Whether `text` is a position as this module writes it."""
    return _POSITION.match(text) is not None
