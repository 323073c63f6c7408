"""A web process, what is stored, and clients that come, break off and come again: and what was promised.

1  nothing is missed: each message of its channels that a client wants it is given, or is told of a time in
   which it was deleted, or that the archive is another one
2  nothing is given twice on one chain of connections, unless channels were divided anew or the archive is
   another one
3  messages come in the order of positions, in each partition
4  it is told once that it has caught up, on each connection
5  with a limit it gets so many, and is done
6  it is told of each gap that is recorded while it watches, or while it is away
"""

import random
from collections import Counter
from typing import Any

from relaycore.live.owed import RESET
from relaycore.position import milliseconds_of
from relaycore.times import to_milliseconds

from .archive import CHANNELS, Archive
from .client import KINDS, Client
from .hub import Hub

_ROUNDS = 200


class World:
    """One schedule."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.archive = Archive(self.chance)
        self.archive.between = self._meanwhile
        self.hub = Hub(self.archive, self.chance)
        self.clients = [Client(kind, self.chance) for kind in KINDS]
        self.gaps = 0
        self.happened: Counter[str] = Counter()
        self._retains = False
        self._is_over = False

    def _meanwhile(self) -> None:
        """What others do between two questions."""
        if self._is_over:
            return
        if self.chance.random() < 0.3:
            self.archive.store(self.chance.randrange(3))
        if self.chance.random() < 0.3:
            self.archive.delete()
        if self._retains and self.chance.random() < 0.3:
            self.retain(self.chance.randrange(4), self.chance.randrange(1, 4))
            if self.chance.random() < 0.7:
                self.archive.delete()

    # --- operations ----------------------------------------------------------------------

    def append(self, channel: int, count: int) -> None:
        for _ in range(count):
            self.archive.append(CHANNELS[channel])

    def store(self, which: int) -> None:
        self.archive.store(which)

    def pump(self) -> None:
        self.hub.pump()

    def watch(self, which: int, steps: int) -> None:
        client = self.clients[which % len(self.clients)]
        for _ in range(steps):
            if not self._step(client):
                return

    def cut(self, which: int) -> None:
        client = self.clients[which % len(self.clients)]
        if client.owed is not None:
            self.happened["cut"] += 1
            self._step(client, cut=True)
            client.leave()

    def kill(self) -> None:
        self.happened["killed"] += 1
        for client in self.clients:
            client.leave()
        self.hub = Hub(self.archive, self.chance)
        self.hub.gaps = list(range(1, self.gaps + 1))

    def retain(self, channel: int, most: int) -> None:
        self._retains = True
        self.archive.retain(CHANNELS[channel], most)

    def delete(self) -> None:
        self.archive.delete()

    def pass_time(self, milliseconds: int) -> None:
        self.archive.pass_time(milliseconds)

    def fall_back(self) -> None:
        self.happened["fell back"] += 1
        self.archive.fall_back()

    def divide(self, partitions: int) -> None:
        self.happened["divided"] += 1
        self.archive.divide(partitions)
        self.kill()

    def remake(self) -> None:
        self.happened["remade"] += 1
        self.archive.remake()
        self.kill()

    def gap(self) -> None:
        self.gaps += 1
        self.hub.gaps.append(self.gaps)
        for client in self.clients:
            if client.owed is not None:
                client.owed.tell_gap(self.gaps, {"id": self.gaps})

    def _step(self, client: Client, *, cut: bool = False) -> bool:
        if client.is_done:
            return False
        if client.owed is None:
            client.connect(self.hub, self.archive)
            return client.owed is not None
        return client.step(cut)

    # --- the end -------------------------------------------------------------------------

    def settle(self) -> None:
        """Everything is stored, everybody comes again and takes what there is."""
        self._is_over = True
        self.archive.store_all()
        self.archive.delete()
        self.archive.pass_time(10)
        for _ in range(_ROUNDS):
            for _ in range(4 * self.archive.partitions):
                self.hub.pump()
            went_on = [self._step(client) for client in self.clients]
            if not any(went_on) and all(one.is_done or one.owed is not None for one in self.clients):
                return
        self.clients[0].broken.add("never at rest")

    def broken(self) -> set[str]:
        """What was promised and does not hold."""
        self.settle()
        found: set[str] = set()
        for client in self.clients:
            found |= client.broken
            if self._missing(client):
                found.add("missed")
            if not client.is_done and set(range(client.gaps_since + 1, self.gaps + 1)) - client.gaps:
                found.add("gap not told")
            if client.is_done and not client.has_all:
                found.add("done too early")
            self.happened["given"] += len(client.given)
            self.happened["reset"] += sum(told.event == RESET for told in client.told)
            self.happened["limited"] += client.is_done
        return found

    def _missing(self, client: Client) -> list[int]:
        given = {number for _, _, number in client.given}
        ends: dict[int, str] = {}
        for channel, position, _ in client.given:
            place = self.archive.place(channel)
            ends[place] = max(ends.get(place, ""), position)
        missing = []
        for number, (channel, position) in self.archive.happened.items():
            if channel not in client.kind.channels or number % client.kind.every or number in given:
                continue
            if client.since < 0 or number <= client.since or self._is_told(client, number, channel, position):
                continue
            is_divided = client.generation != self.archive.generation
            if client.is_done and (is_divided or position > ends.get(self.archive.place(channel), "")):
                continue  # It has had as many as it wanted.
            missing.append(number)
        return missing

    def _is_told(self, client: Client, number: int, channel: str, position: str) -> bool:
        at = milliseconds_of(position)
        for told in client.told:
            if told.event != RESET:
                continue
            if told.data["reason"] == "archive" and number <= self.archive.lost:
                return True
            if told.data["channel"] == channel and _at(told.data["from"]) < at <= _at(told.data["to"]):
                return True
        return False


def _at(moment: Any) -> int:
    return -1 if moment is None else to_milliseconds(moment)
