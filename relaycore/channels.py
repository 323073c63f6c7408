"""Which channel names may be relayed, and which partition has one.

A relay must never hear itself: what it publishes, and what its servers and its
task queue publish, cannot be relayed. Redis does not separate Pub/Sub by
database number, so the broker's channels are heard whatever database it uses.
"""

import re
import unicodedata
from typing import Final, NamedTuple

from relaycore.errors import BadChannelName

MAX_NAME_BYTES: Final = 255

MOST_PARTITIONS: Final = 4096

STREAM: Final = "orchestrator_channel"
"""The stream's name, and the Pub/Sub channel for consumers of the older kind."""

INTERNAL_PREFIX: Final = "__relay"
"""Ticks and control messages of Relay itself."""

_RESERVED: Final = (
    (re.compile(rf"\{{?{re.escape(STREAM)}"), "Relay publishes there itself"),
    (re.compile(re.escape(INTERNAL_PREFIX)), "it is reserved for Relay itself"),
    (re.compile(r"__key(space|event)@"), "keyspace notifications would report Relay's own writes"),
    (re.compile(r"__(redis|sentinel)__:"), "it belongs to the Redis server"),
    (re.compile(r"celery-task-meta-|celeryev|celery\.|reply\.celery\."), "it belongs to Celery"),
    (re.compile(r"/\d+\.(celery|reply\.celery|.*pidbox)"), "it belongs to Celery"),
)

LOG_QUEUE: Final = "queue/"
"""What the names of channels begin with that are topics of the log queue."""

_OF_DOORS: Final = {
    LOG_QUEUE: "topics of the log queue",
    "sns/": "topics of the door for SNS",
    "relay/": "what Relay itself tells of",
}
"""Beginnings of names, and what gets them."""

_SEEN: Final = frozenset(
    "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
)
"""Of the format characters (Unicode's category Cf) those that show: signs that stand over numbers."""


def check_new_name(name: str, door: str = "") -> str:
    """Return `name` if a channel of it may be made. One that is there already stays what it is.

    As `check_name`, and it must look like what it is, without characters of no width and those that turn the
    direction of writing. Names that begin as those of other doors do are theirs.

    door: what the names of the door begin with that makes it; empty: it is none of them

    Raises:
        BadChannelName: with a sentence that says what to change.
    """
    check_name(name)
    for char in name:
        if char == "\u034f" or (unicodedata.category(char) == "Cf" and char not in _SEEN):
            raise BadChannelName(
                f"A channel name must not contain U+{ord(char):04X}: nobody sees it, "
                "and with it two names look the same."
            )
    for prefix, whose in _OF_DOORS.items():
        if prefix != door and name.startswith(prefix):
            raise BadChannelName(f'Names that begin with "{prefix}" are for {whose}. Choose another name.')
    return name


def check_name(name: str) -> str:
    """Return `name` if it can be relayed.

    1 to 255 bytes of UTF-8 without control characters, and not reserved.

    Raises:
        BadChannelName: with a sentence that says what to change.
    """
    try:
        size = len(name.encode())
    except UnicodeEncodeError as exc:
        raise BadChannelName("A channel name must be text that can be written as UTF-8.") from exc
    if not 1 <= size <= MAX_NAME_BYTES:
        raise BadChannelName(
            f"A channel name must have 1 to {MAX_NAME_BYTES} bytes as UTF-8; this one has {size}."
        )
    # "Cc" are the control characters; "Zl" and "Zp" break lines in logs just as a newline does.
    if any(unicodedata.category(char) in {"Cc", "Zl", "Zp"} for char in name):
        raise BadChannelName("A channel name must not contain control characters or line breaks.")
    for pattern, why in _RESERVED:
        if pattern.match(name):
            raise BadChannelName(f"This channel cannot be relayed: {why}. Choose another name.")
    return name


def partition_of(name: str, partitions: int) -> int:
    """The partition, 0 to `partitions` - 1, that has the channel `name`.

    Jump consistent hash (Lamping and Veach, 2014, arXiv:1406.2294) of the name's
    FNV-1a 64-bit hash: growing from n to n + 1 partitions moves 1 in n + 1 channels.
    """
    if partitions == 1:
        return 0
    key = _fnv1a(name.encode())
    chosen, candidate = -1, 0
    while candidate < partitions:
        chosen = candidate
        key, candidate = _jump(key, chosen)
    return chosen


class Place(NamedTuple):
    """With more than `above` and at most `upto` partitions, a channel is in `partition`."""

    partition: int
    above: int
    upto: int


def places_of(name: str) -> list[Place]:
    """Where the channel `name` is, for each number of partitions there may be: about nine places."""
    places = []
    key, partition = _fnv1a(name.encode()), 0
    while partition < MOST_PARTITIONS:
        key, following = _jump(key, partition)
        # It moves to the partition of this number as soon as there is one, and never back.
        places.append(Place(partition, partition, min(following, MOST_PARTITIONS)))
        partition = following
    return places


def _jump(key: int, partition: int) -> tuple[int, int]:
    """The key after this jump, and the partition to which it leads."""
    key = (key * 2862933555777941757 + 1) & 0xFFFFFFFFFFFFFFFF
    return key, int((partition + 1) * ((1 << 31) / ((key >> 33) + 1)))


def _fnv1a(data: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value
