"""What a listener has to put into PostgreSQL: in order, and what a term decides only under that term.

Nothing is confirmed beyond a gap before it is written. So what a term leaves unwritten is not lost
with it: whoever leads next counts from what was confirmed, and finds it again, or has heard it. Written
after that, it would contradict who knows better. What was given up is the exception: a fact, which
only adds to what is known.
"""

import logging
from collections import deque
from dataclasses import dataclass

from django.db import DatabaseError, DataError, transaction

from channels_app import unheard
from channels_app.listening import gaps, statuses
from channels_app.listening.gaps import Closed, GivenUp, Note
from channels_app.listening.statuses import Began, Heard
from leases_app.leasing import Term
from relaycore.times import from_milliseconds

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Refused:
    """Redis refuses the channel of this row, and says why. Before `since` (ms since 1970) it was heard."""

    row: int
    why: str
    since: int | None


Decision = Note | Began | Heard | Refused
Entry = Decision | GivenUp


class Ledger:
    """Entries on their way to PostgreSQL. True while some wait that can be written.

    One thread says with `expect` that an entry will come; another one adds and writes it. Nobody
    expects `Heard`: what a channel has missed before is known without it.

    begun: the epoch of the latest term of which the table says what is heard in it; 0: of none
    """

    def __init__(self, partition: int) -> None:
        self.begun = 0
        self._partition = partition
        self._term: Term | None = None
        self._facts: deque[GivenUp] = deque()
        self._decisions: deque[Decision] = deque()
        self._refusals: set[tuple[int, str]] = set()
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

    def lead(self, term: Term) -> None:
        """What a term decides is written under this one from here on."""
        self._term = term

    def follow(self) -> None:
        """The term is over, and what it has decided too."""
        self._term = None
        self._written += sum(map(_is_expected, self._decisions))
        self._decisions.clear()
        self._refusals.clear()

    def add(self, entry: Entry) -> None:
        """Let it wait."""
        match entry:
            case GivenUp():
                self._facts.append(entry)
                return
            case Refused(row, why):
                if (row, why) in self._refusals:  # Redis is asked again and again, PostgreSQL may be away.
                    self._written += 1
                    return
                self._refusals.add((row, why))
            case Heard(rows):
                self._refusals = {known for known in self._refusals if known[0] not in rows}
            case Closed():
                gaps.say(entry, self._partition)
        self._decisions.append(entry)

    def write(self) -> None:
        """Write what waits, as far as it can be written.

        Raises:
            django.db.Error: PostgreSQL does not answer. What is not written waits on.
        """
        while self._facts:
            gaps.write_loss(self._facts[0], self._partition)
            self._facts.popleft()
            self._written += 1
        while self._decisions and self._term is not None:
            self._decide(self._decisions[0], self._term)
            self._written += _is_expected(self._decisions.popleft())

    def _decide(self, entry: Decision, term: Term) -> None:
        try:
            self._write(entry, term)
        except DataError:
            self._doubt(entry, term)
        except DatabaseError:
            raise
        except Exception:
            # It could not be written at any other time either, and everything behind it would wait for ever.
            self._doubt(entry, term)

    def _write(self, entry: Decision, term: Term) -> None:
        match entry:
            case Began():
                statuses.begin(term, entry)
                self.begun = term.epoch
            case Heard(rows, at):
                statuses.hear(term, rows, from_milliseconds(at))
            case Refused(row, why, since):
                unheard.refuse(term, {row: why}, since)
                self._refusals.discard((row, why))
            case note:
                with transaction.atomic():
                    if term.hold():
                        gaps.write(note, term)

    def _doubt(self, entry: Decision, term: Term) -> None:
        log.exception("partition %d: this cannot be written: %s", self._partition, entry)
        with transaction.atomic():
            if term.hold():
                gaps.write_doubt(term)


def _is_expected(entry: Decision) -> bool:
    return not isinstance(entry, Heard)
