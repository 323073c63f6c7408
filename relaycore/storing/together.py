"""What may be on its way to MongoDB together.

A message may stand twice on the stream, with one `_id`: a listener appends again what it has no answer for,
its successor appends what it held, and a publisher repeats a request. It is to be stored where it stood
first. The `_id` alone does not see to that. With A = [m1, m2] and its repetition A' = [m1, m2] on their way
at one time, m1 of A may fail for a moment. Then m1 is stored from A' and m2 from A, so m2 stands before m1.
Nothing is lost, nothing is stored twice, and the order is wrong for ever.

So of two copies of a message the later one is sent only when the earlier one is settled: it is durable, and
the later one a duplicate, or it is in quarantine. Three rules see to that:

* Two batches in flight share no id. The later one waits until the earlier one is settled (`Start.after`); so
  are those before that, since batches are settled in the order of the stream.
* In one batch the first copy of each message is sent, and another one when that is settled (`Start.repeats`,
  `first_copies`).
* After a writer has died or was frozen, what is pending is stored again entry by entry, each settled before
  the next. What the writer before has sent arrives whenever it does; it had sent no later copy of anything
  that was not settled, so what arrives is the same message with the same position.

Not compared is what came from one listener over one connection. Such a source never repeats anything: that is
what the connection counts up for. Equal ids in it are equal texts that were published twice, under a policy
that stores them once. That may be all of a channel, and to wait for each would send one batch at a time. So
as long as everything in question comes from one listener, no id is even looked at.

Any other source is compared with everything, with itself as well: a repeated request has the source of the
first.
"""

import re
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

Ids = Collection[Hashable]
"""The ids of one entry's messages."""

_OF_A_LISTENER: Final = re.compile(rb"[0-9]+(\.[0-9a-f]+)?\.[0-9]+")
"""`EPOCH.CONNECTION`, of which the latter is the name of its process and a number."""

_OTHERS: Final = b""


@dataclass(frozen=True, slots=True)
class Start:
    """When and how a batch is sent.

    after:   first so many of the oldest batches in flight are to be settled
    repeats: a message may stand in it twice: the first copies go first
    """

    after: int = 0
    repeats: bool = False


class Contents:
    """The ids of one batch, by the listener that they came from; what came from none stands together."""

    def __init__(self) -> None:
        self._entries: dict[bytes, list[Ids]] = {}
        self._ids: dict[bytes, set[Hashable]] = {}

    def add(self, source: bytes, ids: Ids) -> None:
        """An entry more. Not once it was compared with anything."""
        key = source if _OF_A_LISTENER.fullmatch(source) else _OTHERS
        self._entries.setdefault(key, []).append(ids)

    def shares_with(self, other: "Contents") -> bool:
        """Whether an id stands in both, and did not come to both from one listener."""
        return any(
            not self._of(mine).isdisjoint(other._of(theirs))
            for mine in self._entries
            for theirs in other._entries
            if mine != theirs or mine == _OTHERS
        )

    @property
    def repeats(self) -> bool:
        """Whether an id stands in it twice, and did not come from one listener both times."""
        if sum(map(len, self._entries.get(_OTHERS, ()))) > len(self._of(_OTHERS)):
            return True
        return any(not self._of(a).isdisjoint(self._of(b)) for a, b in combinations(self._entries, 2))

    def _of(self, source: bytes) -> set[Hashable]:
        """All ids that came from there. Looked up once, and only where something is compared."""
        if (known := self._ids.get(source)) is None:
            known = self._ids[source] = set()
            for ids in self._entries.get(source, ()):
                known.update(ids)
        return known


def start(batch: Contents, in_flight: Iterable[Contents]) -> Start:
    """This batch follows those in flight, which come in the order of the stream."""
    shared = [at for at, earlier in enumerate(in_flight, 1) if batch.shares_with(earlier)]
    return Start(max(shared, default=0), batch.repeats)


def first_copies(ids: Sequence[Hashable]) -> tuple[list[int], dict[int, int]]:
    """The places at which each id stands first, and for each other place the one at which its id does."""
    first: dict[Hashable, int] = {}
    later = {at: first[id] for at, id in enumerate(ids) if first.setdefault(id, at) != at}
    return list(first.values()), later
