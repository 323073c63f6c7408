"""Who is inside and not done yet, within bounds: the same for connections and for bodies.

A bound for one peer, so that none keeps out the others, and one for all. Nobody is kept out at the door:
whoever is new may be in earnest. Where there are too many it is the oldest one of the peer with the most who
has to go, since what is in earnest is done within moments, and what is not is there for as long as it may be.

All of it in one thread, that of the event loop.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Place:
    """One who is inside. `leave` is called once, if he has to go before he is done."""

    peer: str
    size: int
    leave: Callable[[], None]


class Crowd:
    """So much of whatever sizes count: `most` in all, and `most_of_one` of one peer."""

    def __init__(self, most: int, most_of_one: int) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._peers: dict[str, dict[Place, None]] = {}
        self._sizes: dict[str, int] = {}
        self.size = 0

    def enter(self, peer: str, size: int, leave: Callable[[], None]) -> Place:
        """Somebody is inside until `done`, or until `leave` is called."""
        place = Place(peer, 0, leave)
        self._peers.setdefault(peer, {})[place] = None
        self.grow(place, size)
        return place

    def grow(self, place: Place, size: int) -> None:
        """He takes so much more. Nothing happens for one who has gone."""
        if place not in self._peers.get(place.peer, {}):
            return
        place.size += size
        self._count(place.peer, size)
        while self._sizes.get(place.peer, 0) > self._most_of_one:
            self._send_away(place.peer)
        while self.size > self._most:
            self._send_away(max(self._sizes, key=self._sizes.__getitem__))

    def done(self, place: Place) -> None:
        """He is not inside any more. Once more does nothing."""
        places = self._peers.get(place.peer, {})
        if place not in places:
            return
        del places[place]
        self._count(place.peer, -place.size)
        if not places:
            del self._peers[place.peer], self._sizes[place.peer]

    def _count(self, peer: str, size: int) -> None:
        self.size += size
        self._sizes[peer] = self._sizes.get(peer, 0) + size

    def _send_away(self, peer: str) -> None:
        oldest = next(iter(self._peers[peer]))
        self.done(oldest)
        oldest.leave()
