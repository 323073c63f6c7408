"""What is known of one partition: what MongoDB says, what Redis says, and what follows for readers.

Neither is believed alone (`relaycore.storing.keeping`): each may be lost, or restored from an older copy.
"""

import re
from dataclasses import dataclass
from typing import Final

from relaycore.position import NEVER, at_millisecond, first_of, next_position, order

_OPERATION_TIME: Final = re.compile(r"([0-9]{10})\.([0-9]{10})\Z")

_MOST_DIGITS: Final = 15
"""Of a running number. Redis counts in floating point, which is exact so far."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What MongoDB says of a partition.

    epoch:    the highest epoch of a writer that has written it
    upto:     messages up to this number are stored, in quarantine, or on record as missing
    position: the id of the entry with which they end
    mark:     no message is stored above this id
    run_id:   of the Redis in which these ids were given
    """

    epoch: int = 0
    upto: int = 0
    position: str = NEVER
    mark: str = NEVER
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class Beside:
    """What Redis says of a partition, all at one instant.

    upto:        messages up to this number were appended; None: it does not know
    stored:      messages up to this number are acknowledged, or on record as missing; None: it does not know
    stored_id:   the id of the entry with which they end
    kept:        what MongoDB has acknowledged as `Kept.upto`
    last_id:     the last id that was given
    undelivered: the id of the first entry that no writer was given; empty if there is none
    waiting:     the id of the first entry that is not acknowledged; empty if there is none
    delivered:   whether that one was delivered to a writer
    before:      so many messages were appended before that one; None: it does not say
    is_gone:     whether that one was deleted
    moved_to:    what waits up to this id was appended anew, after a loss, with what had waited before it
    moved_after: the id with which ended then what was stored
    has_group:   whether the consumer group is there
    run_id:      of this Redis
    at:          its clock, ms since 1970
    operation_time: by MongoDB's own count, up to where it has acknowledged what is acknowledged here, as
                 `operation_time` writes it; empty where it has none
    """

    upto: int | None = None
    stored: int | None = None
    stored_id: str = NEVER
    kept: int = 0
    last_id: str = NEVER
    undelivered: str = ""
    waiting: str = ""
    delivered: bool = False
    before: int | None = None
    is_gone: bool = False
    moved_to: str = NEVER
    moved_after: str = NEVER
    has_group: bool = True
    run_id: str = ""
    at: int = 0
    operation_time: str = ""


def operation_time(seconds: int, increment: int) -> str:
    """MongoDB's `operationTime` as text: text order is its order. 21 characters."""
    return f"{seconds:010d}.{increment:010d}"


def operation_time_of(text: str) -> tuple[int, int] | None:
    """Seconds and increment; None if there is none, or somebody else has put it there."""
    match = _OPERATION_TIME.match(text)
    return None if match is None else (int(match[1]), int(match[2]))


def numbers(upto: bytes, messages: bytes) -> tuple[int, int] | None:
    """What an entry says of its numbers: that of its last message, and how many it has.

    None if it does not say, or what cannot be so: anybody may put an entry on a stream.
    """
    if not (upto.isdigit() and messages.isdigit() and max(len(upto), len(messages)) <= _MOST_DIGITS):
        return None
    last, count = int(upto), int(messages)
    return (last, count) if count <= last else None


def lacks(beside: Beside) -> bool:
    """Whether something has left the stream that is neither stored nor on record yet."""
    stored = beside.stored or 0
    if not beside.waiting:
        return beside.upto is not None and beside.upto > stored
    return beside.is_gone or (beside.before is not None and beside.before > stored)


def watermark(beside: Beside) -> str:
    """Below this position nothing is to be stored any more: everything is, but for what `lacks` speaks of.

    What was appended anew may have been on its way to MongoDB under its earlier id, and arrive there at any
    time until it is stored under the later one. So nobody reads any of it before all of it is stored.
    """
    if beside.waiting and order(beside.waiting) <= order(beside.moved_to):
        return min(next_position(beside.moved_after), _watermark(beside))
    return _watermark(beside)


def _watermark(beside: Beside) -> str:
    if lacks(beside):
        behind = next_position(beside.stored_id)
        return min(behind, first_of(beside.waiting)) if beside.waiting else behind
    return first_of(beside.waiting) if beside.waiting else _to_come(beside)


def delivered_below(beside: Beside) -> str:
    """Below this position is what was delivered to writers so far, and not what comes later."""
    return first_of(beside.undelivered) if beside.undelivered else _to_come(beside)


def _to_come(beside: Beside) -> str:
    """What is appended from now on has this position or one above it."""
    return max(at_millisecond(beside.at), next_position(beside.last_id))
