"""What goes between a rule and whoever drives it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, Self, TypeVar

State = dict[str, Any]
"""What is kept of one key: JSON, with integers of 64 bits, whole characters. Replaced, never changed."""

RULE, REVISION, EVENT, CAUSE = "rule", "revision", "event", "cause"
ALERT, MERGED_ALERTS = "alert-id", "merged-alerts"
"""Attributes of what is told (`Made.attributes`), by which other rules read it."""


class Input(NamedTuple):
    """One stored message.

    message:     its payload, decrypted
    produced_by: who has published it (`relaycore.publishing.producers`); empty: it was heard
    """

    position: str
    message: str | bytes
    attributes: Mapping[str, str] = {}
    produced_by: str = ""

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """As MongoDB has it."""
        said = document.get("attributes") or {}, document.get("produced_by") or ""
        return cls(document["position"], document["message"], *said)

    @property
    def at(self) -> int:
        """When it was appended: ms since 1970, by the clock of Redis."""
        return int(self.position[:13])


class Output(NamedTuple):
    """Something a rule says.

    kind:       `open`, `close`, `notice`, ...
    message:    JSON text
    opened:     the cause that has opened the alert of which it is said; empty: of none
    merged:     the same of alerts that have become part of that one, and are no more
    attributes: beside those that every output has (`Made.attributes`)
    """

    kind: str
    message: str
    opened: str = ""
    merged: Sequence[str] = ()
    attributes: Mapping[str, str] = {}


class Step(NamedTuple):
    """What follows from one cause: the state from then on (None: nothing is kept), and what is said.

    unusable: why nothing could be made of this input though it was read; empty: something was
    """

    state: State | None
    outputs: Sequence[Output] = ()
    unusable: str = ""


class Event(Protocol):
    """An input as a kind has read it, for one key."""

    @property
    def key(self) -> str:
        """Canonical JSON of the list of the values of the key's fields."""


AnyEvent = TypeVar("AnyEvent", bound=Event)


class Kind(Protocol[AnyEvent]):
    """What a rule does, by its settings. Pure: the same arguments, the same answer, for ever."""

    @property
    def is_by_key(self) -> bool:
        """Whether keys are independent. Else all inputs have the same key, and one shard has the rule."""

    def read(self, input: Input) -> Sequence[AnyEvent]:
        """Read one message: what it is for each key that it is about, none of them twice.

        Raises:
            Unusable: the rule can do nothing with it; the text says why, without any of its values.
        """

    def take(self, state: State | None, event: AnyEvent, cause: str) -> Step:
        """It comes in. `state`: of its key; nothing in it is due below the time of the cause."""

    def due(self, state: State) -> int | None:
        """When the next timer is due: ms since 1970; None: none is."""

    def fire(self, state: State, due: int) -> Step:
        """All timers fire that are due up to this time, which is the cause."""

    def shown(self, state: State) -> list[dict[str, Any]]:
        """What is open, for people.

        Each has `key` (values by field), `opened` (its cause), `starts_at`, `ends_at` (ISO 8601, or None) and
        `alerts` (how many inputs there were), and what the kind has beside that.
        """


class KeptState(NamedTuple):
    """The state of one key, and the last cause in it. None: it has ended by that."""

    at: str
    state: State | None


@dataclass(frozen=True, slots=True)
class Frontier:
    """Up to where a rule has come in one shard.

    position:   all inputs up to here were taken
    time:       all timers that were due up to here have fired, ms since 1970
    revision:   of the settings in force
    known_from: nothing was said above this position before this term began
    unusable, last_unusable: so many inputs could not be used, and why not the last of them
    """

    position: str
    time: int
    revision: int
    known_from: str = ""
    unusable: int = 0
    last_unusable: str = ""

    def covers(self, cause: str) -> bool:
        """Whether the cause is at or below it."""
        return int(cause) <= self.time if len(cause) == 13 else cause <= self.position


class Made(NamedTuple):
    """An output that is to be appended.

    id:         the `_id` under which it is stored
    cause:      what made the rule say it
    place:      its index among the outputs of one cause, key and kind
    attributes: what is stored beside the message: those of the output, how often webhooks have sent what made
                the rule say it (`relaycore.outbound.hops`), and `rule` (hex), `revision`, `event`
                (its kind), `cause`, and, if it is said of an alert, `alert-id` and `merged-alerts`
    """

    id: bytes
    key: str
    cause: str
    output: Output
    place: int
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Keep:
    """What is to be written, in this order: states, frontier, and then what is gone is deleted.

    Each write only over the same or a lower epoch. What is gone is deleted only if it is still at the cause
    that stands here.

    states: by key; one that has ended is written as well, without a state
    gone:   by key, at which cause it has ended
    """

    frontier: Frontier
    states: Mapping[str, KeptState]
    gone: Mapping[str, str]
