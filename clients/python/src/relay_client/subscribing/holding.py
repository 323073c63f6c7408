"""What a consumer speaks of: messages that it holds, what it asks, and the rules of a mode."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from math import inf
from typing import Literal, Protocol

from relay_client.calls import Call
from relay_client.errors import RelayError
from relay_client.rows import Message
from relay_client.subscribing.notices import Notice
from relay_client.subscribing.rows import Fetched, Settled

Verb = Literal["learn", "fetch", "commit", "ack", "nack", "extend"]


class State(Enum):
    """Of a message that a consumer holds.

    ========  ====================  =============================
    from      by                    becomes
    ========  ====================  =============================
    WAITING   take                  GIVEN
    GIVEN     ack                   DONE, until Relay knows it
    GIVEN     nack, mode `cursor`   BACK; another one is WAITING in its place
    GIVEN     nack, mode `lease`    BACK, until Relay knows it
    WAITING   close, mode `lease`   BACK, until Relay knows it
    DONE      Relay knows or will   SETTLED
    any       a seek, a lost lease  GONE: nothing counts any more
    ========  ====================  =============================
    """

    WAITING = "waiting"
    GIVEN = "given"
    DONE = "done"
    BACK = "back"
    SETTLED = "settled"
    GONE = "gone"


@dataclass(slots=True, eq=False)
class Held:
    """A message on its way through the program.

    ready_at:   it is not given to the program before
    failures:   so often the program has given it back (mode `cursor`)
    token:      of its lease; "" in mode `cursor`, as everything below is for mode `lease`
    extend_at:  when its lease is to be extended
    expires_at: from then on somebody else may have it
    hold_until: from then on it is not extended
    was_sent:   Relay may know already that it is done
    delay:      seconds that Relay is to wait before it gives it to somebody; None: as Relay sees fit
    """

    message: Message
    generation: int
    state: State = State.WAITING
    ready_at: float = 0.0
    failures: int = 0
    token: str = field(default="", repr=False)
    extend_at: float = inf
    expires_at: float = inf
    hold_until: float = inf
    was_sent: bool = False
    delay: float | None = None

    @property
    def position(self) -> str:
        """Of the message."""
        return self.message.position

    @property
    def size(self) -> int:
        """Bytes of the payload, about."""
        return len(self.message.text)


@dataclass(frozen=True, slots=True)
class Ask:
    """A request, and what it is about.

    held, tokens: the messages that it settles, and their tokens as they were
    position:     commit: everything up to here is done
    most, size:   fetch: so many messages and bytes
    seconds:      extend: for so long
    epoch:        raised whenever all that is held is let go
    """

    verb: Verb
    call: Call
    asked_at: float
    held: tuple[Held, ...] = ()
    tokens: tuple[str, ...] = field(default=(), repr=False)
    position: str = ""
    most: int = 0
    size: int = 0
    seconds: float = 0.0
    epoch: int = 0


class Rules(Protocol):
    """Of a mode: what is asked when, and what an answer does. Times are those of a clock that only grows.

    `waiters`: so many threads or tasks wait for a message.
    """

    @property
    def needs_the_fetch(self) -> bool:
        """Whether what a fetch brings that is under way has to be given back at the end."""

    @property
    def is_settled(self) -> bool:
        """Whether Relay knows of everything that the program has done."""

    @property
    def ready_at(self) -> float | None:
        """When a message that waits may be given to the program, if that is only a matter of time."""

    def take(self, now: float) -> Held | None:
        """The next message for the program."""

    def ack(self, held: Held, now: float) -> None:
        """The program is done with it."""

    def passed(self, held: Held, now: float) -> None:
        """The program asks for the next one."""

    def nack(self, held: Held, delay: float | None, now: float) -> None:
        """The program gives it back. `delay`: not to be given again before so many seconds."""

    def close(self, now: float) -> None:
        """The program takes nothing more."""

    def fetch_at(self, waiters: int) -> float | None:
        """When to fetch."""

    def fetch(self, now: float) -> Ask:
        """What to ask then."""

    def settle_at(self, waiters: int) -> float | None:
        """When there is something to tell Relay."""

    def settle(self, now: float) -> Ask | None:
        """What to tell then; None: it has come to nothing."""

    def fetched(self, ask: Ask, got: Fetched, now: float) -> Sequence[Notice]:
        """A fetch is answered."""

    def settled(self, ask: Ask, results: Sequence[Settled], now: float) -> Sequence[Notice]:
        """What was told is answered. `results`: of each token, but for a commit."""

    def refused(self, ask: Ask, error: RelayError, now: float) -> Sequence[Notice] | None:
        """An error that may be expected; None: this one is not."""

    def unanswered(self, ask: Ask, now: float) -> None:
        """Whether Relay has done it is not known, or it has not: it is to be asked again."""


class Rest:
    """When to fetch again after answers with nothing new, where Relay did not wait for something to come."""

    def __init__(self, wait_seconds: float) -> None:
        self._wait_seconds = wait_seconds
        self._fruitless = 0
        self.until = 0.0

    def answered(self, ask: Ask, now: float, *, is_new: bool) -> None:
        """A fetch is answered."""
        self.until = 0.0
        if is_new or now - ask.asked_at >= self._wait_seconds / 2:
            self._fruitless = 0
        else:
            self._fruitless = min(self._fruitless + 1, 5)
            self.until = now + min(1.0, 0.05 * 2.0**self._fruitless)
