"""The leases of senders and of processors: one for each shard, and all shards of one division.

A setting says into how many shards something is divided, and so in which one each part of it is. It is set
for each process, and two hosts may be set to different numbers, for a moment or by mistake. An endpoint would
then be in two shards, and two senders would try it, each with a breaker and limits of his own. So each lease
says by its holder into how many shards he divides, and nobody begins while another division has a live one.

It is claimed first, and looked at afterwards: of two that begin at once at least one sees the other, and
goes. A lease of another division that has lapsed is ended in between: its holder, who may only have been
frozen, could renew it otherwise, since nobody has claimed it.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.db.models import F

from leases_app.leasing import Contender, Term
from leases_app.models import Lease, LeaseQuerySet
from relaycore.errors import UnfitServer

_MARK = " of "


@dataclass(frozen=True, slots=True)
class Division:
    """Something that is divided into shards, each with a loop of this role.

    setting: that says into how many
    what:    is divided, for a reader
    """

    role: Lease.Role
    setting: str
    what: str

    @property
    def shards(self) -> int:
        """So many there are today."""
        return int(getattr(settings, self.setting))

    def claim(self, shard: int, task_id: str = "", *, above: int = 0) -> Term | None:
        """Become who has a shard; None if somebody is, or was quicker.

        above: the highest epoch that is known elsewhere, as in `Contender.claim`

        Raises:
            UnfitServer: somebody lives that divides into another number of shards.
        """
        self._require_no_other()
        holder = f"{uuid.uuid4().hex}{self._division()}"
        term = Contender(task_id, holder).claim(self.role, shard, above=above)
        if term is None:
            return None
        self._of_others().free().update(holder="", epoch=F("epoch") + 1, writes=F("writes") + 1)
        try:
            self._require_no_other()
        except UnfitServer:
            term.release()
            raise
        return term

    def has(self, shard: int) -> bool:
        """Whether it is one of today's shards. A proposal may be older than they are."""
        return shard < self.shards

    def misfit(self, live: Iterable[Lease]) -> str | None:
        """Why nobody can begin here, by the leases that live; None if somebody can."""
        found = {lease.holder.partition(_MARK)[2] for lease in live if lease.role == self.role}
        if not (others := sorted(found - {"", str(self.shards)})):
            return None
        return (
            f"{self.setting} is {self.shards}, but {self.role.label}s run that divide {self.what} "
            f"into {', '.join(others)}. Set it to the same number everywhere, or stop those first."
        )

    def _require_no_other(self) -> None:
        if (why := self.misfit(self._of_others().live())) is not None:
            raise UnfitServer(why)

    def _of_others(self) -> LeaseQuerySet:
        """Held by those of another division, alive or not."""
        every = Lease.objects.filter(role=self.role, holder__contains=_MARK)
        return every.exclude(holder__endswith=self._division())

    def _division(self) -> str:
        return f"{_MARK}{self.shards}"


SENDERS: Final = Division(Lease.Role.SENDER, "RELAY_SENDER_SHARDS", "the endpoints")
PROCESSORS: Final = Division(Lease.Role.PROCESSOR, "RELAY_PROCESSOR_SHARDS", "the rules")

DIVISIONS: Final = (SENDERS, PROCESSORS)
