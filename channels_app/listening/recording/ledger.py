"""What a listener has to put into PostgreSQL: in order, and what a term decides only under that term.

Nothing is confirmed beyond a gap before it is written. So what a term leaves unwritten is not lost
with it: whoever leads next counts from what was confirmed, and finds it again, or has heard it. Written
after that, it would contradict who knows better. What was given up is the exception: a fact, which
only adds to what is known.

A lease that does not know the term need not be somebody else's: PostgreSQL may have gone back. So what
cannot be written waits until it is known which it was: until this listener follows, or leads in another
term. Then it comes first that something was forgotten: no gap that is open there may be closed by what
a leader knows who believes that the gaps before it are on record.
"""

import logging
from collections import deque
from dataclasses import dataclass
from typing import Final

from django.db import DatabaseError, DataError, transaction

from channels_app.listening.recording import notes, statuses, unheard
from channels_app.listening.recording.losses import GivenUp, write_loss
from channels_app.listening.recording.notes import Closed, Note, Restored
from channels_app.listening.recording.statuses import Began, RowsHeard
from leases_app.leasing import Term
from relaycore.times import from_milliseconds

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RowRefused:
    """Redis refuses the channel of this row, and says why. Before `since` (ms since 1970) it was heard."""

    row: int
    why: str
    since: int | None


@dataclass(frozen=True, slots=True)
class _Refusals:
    """What came one after the other, and is written at once. Row → why; `since` is the same for all."""

    since: int | None
    why: dict[int, str]


_Decision = Note | Began | RowsHeard | _Refusals
Entry = Note | Began | RowsHeard | RowRefused | GivenUp

_ROWS_AT_ONCE: Final = 1000


class Ledger:
    """Entries on their way to PostgreSQL. True while some wait that can be written.

    One thread says with `expect` that an entry will come; another one adds and writes it. Nobody
    expects `RowsHeard`: what a channel has missed before is known without it.

    begun: the epoch of the latest term of which the table says what is heard in it; 0: of none
    """

    def __init__(self, partition: int) -> None:
        self.begun = 0
        self._partition = partition
        self._term: Term | None = None
        self._facts: deque[GivenUp] = deque()
        self._decisions: deque[_Decision] = deque()
        self._refused: dict[int, str] = {}  # Of rows whose refusal waits: what was said last.
        self._expected = self._written = 0

    def __bool__(self) -> bool:
        return bool(self._facts or (self._term is not None and self._decisions))

    @property
    def is_written(self) -> bool:
        """Whether PostgreSQL has every entry that was ever expected."""
        return self._written == self._expected

    def expect(self) -> None:
        """One more will be added."""
        self._expected += 1

    def lead(self, term: Term, restored: Restored | None = None) -> None:
        """What a term decides is written under this one from here on, and before all `restored`."""
        self._term = term
        if restored is not None:
            self._decisions.appendleft(restored)

    def follow(self) -> None:
        """The term is over, and what it has decided too."""
        self._term = None
        self._written += sum(map(_expected, self._decisions))
        self._decisions.clear()
        self._refused.clear()

    def add(self, entry: Entry) -> None:
        """Let it wait."""
        match entry:
            case GivenUp():
                self._facts.append(entry)
            case RowRefused():
                self._refuse(entry)
            case RowsHeard(rows):
                for row in rows:
                    self._refused.pop(row, None)
                self._decisions.append(entry)
            case note:
                if isinstance(note, Closed):
                    notes.say(note, self._partition)
                self._decisions.append(note)

    def write(self) -> None:
        """Write what waits, as far as it can be written.

        Raises:
            django.db.Error: PostgreSQL does not answer. What is not written waits on.
        """
        while self._facts:
            self._write_fact(self._facts[0])
            self._facts.popleft()
            self._written += 1
        while self._decisions and self._term is not None:
            if not self._decide(self._decisions[0], self._term):
                return
            self._written += _expected(self._decisions.popleft())

    def _write_fact(self, loss: GivenUp) -> None:
        with transaction.atomic():
            if self._term is not None:
                self._term.hold()  # If it does: so it shows if PostgreSQL loses this again.
            write_loss(loss, self._partition)

    def _refuse(self, refused: RowRefused) -> None:
        """With those right before it: Redis may refuse all channels at once, and a transaction takes time.

        What was heard in between is not passed over: where a channel was refused it has a gap.
        """
        row, why = refused.row, refused.why
        if self._refused.get(row) == why:  # Redis is asked again and again, PostgreSQL may be away.
            self._written += 1
            return
        self._refused[row] = why
        last = self._decisions[-1] if self._decisions else None
        if not isinstance(last, _Refusals) or last.since != refused.since or len(last.why) >= _ROWS_AT_ONCE:
            last = _Refusals(refused.since, {})
            self._decisions.append(last)
        self._written += row in last.why  # It is written with what was said last.
        last.why[row] = why

    def _decide(self, entry: _Decision, term: Term) -> bool:
        """Whether it is written; False if the lease does not know the term."""
        try:
            return self._write(entry, term)
        except DataError:
            return self._doubt(entry, term)
        except DatabaseError:
            raise
        except Exception:
            # It could not be written at any other time either, and everything behind it would wait for ever.
            return self._doubt(entry, term)

    def _write(self, entry: _Decision, term: Term) -> bool:
        match entry:
            case Began():
                if not statuses.begin(term, entry):
                    return False
                self.begun = term.epoch
            case RowsHeard(rows, at):
                return statuses.hear(term, rows, from_milliseconds(at))
            case _Refusals(since, said):
                if not unheard.refuse(term, said, since):
                    return False
                for row, why in said.items():
                    if self._refused.get(row) == why:
                        del self._refused[row]
            case note:
                with transaction.atomic():
                    if not term.hold():
                        return False
                    notes.write(note, term)
        return True

    def _doubt(self, entry: _Decision, term: Term) -> bool:
        log.exception("partition %d: this cannot be written: %s", self._partition, entry)
        with transaction.atomic():
            if not term.hold():
                return False
            notes.write_doubt(term)
        return True


def _expected(entry: _Decision) -> int:
    """How many were expected that this stands for."""
    match entry:
        case RowsHeard():
            return 0
        case _Refusals():
            return len(entry.why)
    return 1
