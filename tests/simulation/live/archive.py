"""What is stored, and what Redis says of it: as much as who watches can see."""

import random
from collections.abc import Callable, Collection
from typing import Any

from relaycore.channels import partition_of
from relaycore.live.ring import Entry
from relaycore.live.walk import Page
from relaycore.position import START, first_of
from relaycore.storing.expiring import NOTHING, Expired

CHANNELS = ("orders", "prices", "stock", "users")


class Archive:
    """Positions only grow, in each partition; watermarks may fall. `between`: others act meanwhile."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.partitions = 2
        self.generation = 1
        self.made = 0
        self.clock = 1000
        self.last = 1000
        self.number = 0
        self.lost = 0
        """Messages up to this number were in an archive that is not there any more, or wait for the next."""
        self.waiting: list[tuple[str, str, int]] = []
        self.stored: dict[str, dict[str, int]] = {name: {} for name in CHANNELS}
        self.expired: dict[str, Expired] = {}
        self.deleting: list[tuple[str, str]] = []
        self.happened: dict[int, tuple[str, str]] = {}
        """Channel and position of each message, by its number."""
        self.between: Callable[[], object] = lambda: None

    @property
    def epoch(self) -> str:
        return f"{self.made:012x}"

    # --- what happens --------------------------------------------------------------------

    def append(self, channel: str) -> int:
        """Put on the stream, and not stored."""
        self.last = max(self.clock, self.last + 1)
        self.number += 1
        position = first_of(f"{self.last}-0")
        self.waiting.append((position, channel, self.number))
        self.happened[self.number] = channel, position
        return self.number

    def store(self, which: int) -> None:
        """One of those that wait, not always the first one."""
        if self.waiting:
            position, channel, number = self.waiting.pop(which % min(3, len(self.waiting)))
            self.stored[channel][position] = number

    def store_all(self) -> None:
        while self.waiting:
            self.store(0)

    def pass_time(self, milliseconds: int) -> None:
        self.clock = max(self.clock, self.last) + milliseconds

    def fall_back(self) -> None:
        """Redis has lost its data: its ids go on above what was appended, and its clock is behind."""
        self.clock = self.last

    def retain(self, channel: str, most: int) -> None:
        """The record first. What it is about is deleted some time later."""
        below = self.watermark(self.place(channel))
        gone = [position for position in sorted(self.stored[channel]) if position < below][:most]
        before = self.expired.get(channel, NOTHING)
        if gone and not any(name == channel for name, _ in self.deleting):
            self.expired[channel] = Expired(max(before.upto, gone[-1]), before.messages + len(gone))
            self.deleting += [(channel, position) for position in gone]

    def delete(self) -> None:
        for channel, position in self.deleting:
            self.stored[channel].pop(position, None)
        self.deleting.clear()

    def divide(self, partitions: int) -> None:
        self.store_all()
        self.partitions, self.generation = partitions, self.generation + 1

    def remake(self) -> None:
        """Another archive stands in its place, with nothing in it but what is on the stream."""
        self.made += 1
        self.lost = self.number
        self.stored = {name: {} for name in CHANNELS}
        self.expired.clear()
        self.deleting.clear()

    # --- what is asked -------------------------------------------------------------------

    def place(self, channel: str) -> int:
        return partition_of(channel, self.partitions)

    def watermark(self, partition: int) -> str:
        waiting = [position for position, channel, _ in self.waiting if self.place(channel) == partition]
        return min(waiting, default=first_of(f"{max(self.clock, self.last + 1)}-0"))

    def newest(self, channel: str) -> str:
        return max(self.stored[channel], default=START)

    def find(self, channels: Collection[str], after: str, below: str) -> list[dict[str, Any]]:
        found = [
            {"channel": name, "position": position, "message": str(number)}
            for name in channels
            for position, number in self.stored[name].items()
            if after < position < below
        ]
        return sorted(found, key=lambda document: document["position"])

    def records(self, channels: Collection[str]) -> dict[str, Expired]:
        return {name: self.expired[name] for name in channels if name in self.expired}

    def read(self, channels: frozenset[str], after: str, floor: str, most: int) -> Page:
        below = self.watermark(self.place(min(channels)))
        self.between()
        found = self.find(channels, after, below)
        self.between()
        entries = [Entry(document) for document in found[:most]]
        return Page(after, entries, len(found) > most, below, floor, self.records(channels))
