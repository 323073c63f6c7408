"""Order by a field: what is handed out one after another for each value, and what waits behind that.

A message has a **key**: the hash of its value of the field. Of a key one message at a time is on its way.
What comes meanwhile is passed by the cursor and gets no row: the key has one, `Held`, which says between
which positions its messages wait. Once nothing of the key is on its way it is *open*: the channel is read
again from there, by whoever fetches, and the next message of the key is leased. So a key that fails costs two
rows, however many messages wait behind it, and the others flow.

A message without the field has no key. It is in no order, and holds nothing back.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Final, Generic, TypeVar

from relaycore import policy
from relaycore.errors import BadPolicy, BadSubscription
from relaycore.identity import canonical_field
from relaycore.position import previous_position
from relaycore.storing.expiring import NOTHING, Expired

KEY_BYTES: Final = 12
KEY_CHARS: Final = 2 * KEY_BYTES

MOST_EARLIER: Final = 20
"""So many filters of before are kept for what waits."""

Message = tuple[str, bytes, str]
"""Position, id and key."""

Chosen = TypeVar("Chosen")


def require_field(field: object) -> str:
    """This, if messages can be put into order by it.

    Raises:
        BadSubscription: they cannot.
    """
    try:
        return policy.parse({"field": field}).field
    except BadPolicy as exc:
        raise BadSubscription(
            f"A field to order by has 1 to {policy.MAX_FIELD_LENGTH} characters, none of them NUL."
        ) from exc


def key_of(message: bytes, field: str) -> str:
    """The key of a message; empty: it has none.

    It has one where it is a JSON object with this field, and that is not null. Which values are equal is what
    it is under the policy `{"field": …}` (`relaycore.identity`).
    """
    value = canonical_field(message, field)
    return "" if value is None else blake2b(value, digest_size=KEY_BYTES).hexdigest()


@dataclass(frozen=True, slots=True)
class Held:
    """Messages of one key that wait behind another one of it.

    above, upto: they stand above this position, up to that one, which is not above the cursor
    messages:    at most so many
    """

    key: str
    above: str
    upto: str
    messages: int = 1

    def covers(self, position: str) -> bool:
        """Whether a message of the key that stands here waits."""
        return self.above < position <= self.upto


@dataclass(frozen=True, slots=True)
class Reread:
    """What was read to go on with a key that is open.

    above:   what comes above this position was read
    looked:  everything up to here was looked at, but nothing above `found`
    found:   position and id of the first message of the key; None: there is none up to there
    expired: what was on record as deleted, after that was read, never before
    """

    above: str
    looked: str
    found: tuple[str, bytes] | None = None
    expired: Expired = NOTHING


@dataclass(frozen=True, slots=True)
class Missed:
    """Messages of a key that retention may have deleted while they waited.

    They stood above `after`, up to `upto`: at most so many.
    """

    key: str
    after: str
    upto: str
    at_most: int


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of a key that is open.

    held:   what waits then; None: nothing
    found:  the message that is leased; None: none was found yet
    missed: what goes on record
    """

    held: Held | None
    found: tuple[str, bytes] | None = None
    missed: Missed | None = None


def hold(held: Held | None, key: str, position: str) -> Held:
    """This message waits as well, behind what waits already."""
    if held is None:
        return Held(key, previous_position(position), position)
    return replace(held, upto=position, messages=held.messages + 1)


def is_read(held: Held, reread: Mapping[str, Reread]) -> bool:
    """Whether what was read is what comes next for this key: nobody has gone on with it since."""
    return held.key in reread and reread[held.key].above == held.above


def matched(
    opened: Iterable[Held], page: Sequence[Message], looked: str, expired: Expired
) -> dict[str, Reread]:
    """What a page of the channel has for keys that are open, by key. Those that wait further up are left out.

    page:    in order, without a hole, from where the lowest of them waits, and not beyond where the last one
             does; with the keys by which each message was chosen, empty where it was not
    looked:  it is everything up to here
    expired: what was on record as deleted, after the page was read, never before
    """
    found = {}
    for held in opened:
        if held.above < looked:
            of_it = (one for one in page if one[2] == held.key and one[0] > held.above)
            first = next(of_it, None)
            found[held.key] = Reread(held.above, looked, first and first[:2], expired)
    return found


def go_on(held: Held, reread: Reread) -> Step:
    """To the next message of the key, or as far as was looked."""
    upto = min(reread.looked, held.upto) if reread.found is None else reread.found[0]
    left = held.messages - (reread.found is not None)
    missed = None
    if left and held.above < min(upto, reread.expired.upto):
        missed = Missed(held.key, held.above, min(upto, reread.expired.upto), left)
    # Once its end is reached what is left was deleted, and is on record.
    rest = replace(held, above=upto, messages=max(1, left)) if upto < held.upto else None
    return Step(rest, reread.found, missed)


class Waiting:
    """What waits, while messages are leased.

    busy: keys of which something is on its way
    held: what waits, by key
    """

    def __init__(self, busy: Iterable[str], held: Mapping[str, Held]) -> None:
        self._busy = set(busy)
        self._held = dict(held)
        self._changed = dict[str, Held | None]()
        self.missed: list[Missed] = []
        """What goes on record."""
        self.closed = 0
        """So many keys were open, and are no more, and nothing was found."""

    def go_on(self, opened: Iterable[Held], reread: Mapping[str, Reread]) -> list[Message]:
        """The next message of each of these, where one was found."""
        found = []
        for held in opened:
            if not is_read(held, reread):
                continue
            step = go_on(held, reread[held.key])
            self._set(held.key, step.held)
            if step.missed is not None:
                self.missed.append(step.missed)
            if step.found is not None:
                self._busy.add(held.key)
                found.append((*step.found, held.key))
            elif step.held is None:
                self.closed += 1
        return found

    def take(
        self, messages: Sequence[tuple[str, bytes]], keys: Sequence[str], wanted: int
    ) -> tuple[list[Message], str | None]:
        """At most so many new ones; and up to where everything is taken, or waits. None: all of it is."""
        taken: list[Message] = []
        upto = None
        for (position, id), key in zip(messages, keys or [""] * len(messages), strict=True):
            if key and (key in self._busy or key in self._held):
                self.wait(key, position)
            elif len(taken) == wanted:
                return taken, upto
            else:
                taken.append((position, id, key))
                self._busy.add(key)
            upto = position
        return taken, None

    def wait(self, key: str, position: str) -> None:
        """This message is passed, and waits."""
        self._set(key, hold(self._held.get(key), key, position))

    @property
    def held(self) -> list[Held]:
        """What waits from now on, where that has changed."""
        return [one for one in self._changed.values() if one is not None]

    @property
    def free(self) -> list[str]:
        """The keys of which nothing waits any more."""
        return [key for key, one in self._changed.items() if one is None]

    def _set(self, key: str, held: Held | None) -> None:
        if self._held.get(key) == held:
            return
        self._changed[key] = held
        if held is None:
            del self._held[key]
        else:
            self._held[key] = held


@dataclass(frozen=True, slots=True)
class Earlier(Generic[Chosen]):
    """What a subscription was set to before: so was chosen what stands up to here, in this generation."""

    generation: int
    upto: str
    chosen: Chosen


def chosen_by(position: str, generation: int, earlier: Iterable[Earlier[Chosen]], now: Chosen) -> Chosen:
    """By what a message below the cursor was chosen when the cursor passed it.

    earlier: in the order in which it was so
    """
    for one in earlier:
        if one.generation == generation and position <= one.upto:
            return one.chosen
    return now


def still_needed(
    generation: int, earlier: Sequence[Earlier[Chosen]], held: Sequence[Held]
) -> list[Earlier[Chosen]]:
    """Of what it was set to before, that by which something was chosen that waits."""
    lowest = min((one.above for one in held), default=None)
    return [
        one for one in earlier if lowest is not None and one.generation == generation and one.upto > lowest
    ]
