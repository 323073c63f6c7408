"""The lease of a partition's leadership, as one listener holds it: claimed, kept alive, given up."""

import logging
from collections.abc import Callable

from django.db import Error as DatabaseError

from channels_app.listening.candidacy import Candidacy
from leases_app.heartbeat import Heartbeat
from leases_app.leasing import Condition, Contender, Term
from relaycore.listening.protocol import ListenerProtocol

log = logging.getLogger(__name__)


class Tenure:
    """Does what `protocol` says about the lease, and tells it what comes of that. Nothing here waits.

    learn: is told how many messages were appended, as the lease has it: Redis may have lost everything
    """

    def __init__(
        self,
        partition: int,
        contender: Contender,
        protocol: ListenerProtocol,
        condition: Callable[[], Condition],
        learn: Callable[[int], object],
    ) -> None:
        self._learn = learn
        self._partition = partition
        self._protocol = protocol
        self._condition = condition
        self._candidacy = Candidacy(contender, partition)
        self._heartbeat: Heartbeat | None = None

    @property
    def term(self) -> Term | None:
        """The one that is kept alive."""
        return None if self._heartbeat is None else self._heartbeat.term

    @property
    def acknowledged(self) -> int:
        """So many writes of the lease PostgreSQL has acknowledged to this term; 0 without one."""
        return 0 if self._heartbeat is None else self._heartbeat.term.acknowledged.writes

    @property
    def heartbeat(self) -> Heartbeat | None:
        """That of the term."""
        return self._heartbeat

    def claim(self, beyond: int | None, above: int) -> None:
        """Claim the lease if it is free, or of an epoch up to `beyond`; for an epoch above `above`."""
        self._candidacy.begin(beyond, above)

    def turn(self, now: float) -> None:
        """See what has become of the claim, and of the term."""
        ended = self._heartbeat is not None and self._heartbeat.lost
        went_back = self._heartbeat is not None and self._heartbeat.went_back
        if self._candidacy.is_over:
            self._take_outcome(now)
        elif ended and self._candidacy.is_under_way and not self._candidacy.is_overdue:
            pass  # It may have ended because this very claim was won.
        elif ended and not went_back:
            self._protocol.lost(now)
        elif self._candidacy.is_overdue and not self._protocol.leads:
            self._protocol.unclaimed(now, again=False)
        elif went_back and not self._candidacy.is_under_way:
            self._protocol.went_back(self.acknowledged)

    def end(self) -> None:
        """Keep the term alive no more. It is not released: whoever has heard everything takes it over."""
        if self._heartbeat is not None:
            self._heartbeat.end(release=False)
            self._heartbeat = None

    def close(self) -> None:
        """End the term. The lease is free at once."""
        if self._heartbeat is not None:
            self._heartbeat.close()

    def _take_outcome(self, now: float) -> None:
        protocol = self._protocol
        try:
            term = self._candidacy.take()
        except DatabaseError as exc:
            log.warning("partition %d: PostgreSQL cannot be asked who leads: %s", self._partition, exc)
            protocol.unclaimed(now, again=True)
            return
        if term is None:
            protocol.refused(now)
            return
        self._learn(term.appended_before)
        protocol.won(term.epoch, now, writes=term.writes_before)
        heartbeat = Heartbeat(term, self._condition, begins_anew=True)
        heartbeat.start()
        if protocol.leads and protocol.epoch == term.epoch:
            self.end()
            self._heartbeat = heartbeat
        else:
            heartbeat.end()  # Released, so that others need not wait for it to lapse.
