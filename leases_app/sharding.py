"""The leases of senders: one for each shard, and all shards of one division.

`RELAY_SENDER_SHARDS` says in which shard an endpoint is. No data depend on it, so it stands nowhere, and
two hosts may be set to different numbers, for a moment or by mistake. An endpoint would then be in two
shards, and two senders would try it, each with a breaker and limits of his own. So each lease says by its
holder into how many shards he divides, and nobody is a sender while another division has a live one.

It is claimed first, and looked at afterwards: of two that begin at once at least one sees the other, and
goes. A lease of another division that has lapsed is ended in between: its holder, who may only have been
frozen, could renew it otherwise, since nobody has claimed it.
"""

import uuid
from collections.abc import Iterable

from django.conf import settings
from django.db.models import F

from leases_app.leasing import Contender, Term
from leases_app.models import Lease, LeaseQuerySet
from relaycore.errors import UnfitServer

_MARK = " of "


def claim(shard: int, task_id: str = "") -> Term | None:
    """Become the sender of a shard; None if somebody is, or was quicker.

    Raises:
        UnfitServer: a sender lives that divides the endpoints into another number of shards.
    """
    _require_no_other()
    holder = f"{uuid.uuid4().hex}{_division()}"
    term = Contender(task_id, holder).claim(Lease.Role.SENDER, shard)
    if term is None:
        return None
    _of_others().free().update(holder="", epoch=F("epoch") + 1, writes=F("writes") + 1)
    try:
        _require_no_other()
    except UnfitServer:
        term.release()
        raise
    return term


def has(shard: int) -> bool:
    """Whether it is one of today's shards. A proposal may be older than they are."""
    return shard < int(settings.RELAY_SENDER_SHARDS)


def misfit(live: Iterable[Lease]) -> str | None:
    """Why no sender can begin here, by the leases that live; None if one can."""
    found = {lease.holder.partition(_MARK)[2] for lease in live if lease.role == Lease.Role.SENDER}
    if not (others := sorted(found - {"", str(settings.RELAY_SENDER_SHARDS)})):
        return None
    return (
        f"RELAY_SENDER_SHARDS is {settings.RELAY_SENDER_SHARDS}, but senders run that divide the endpoints "
        f"into {', '.join(others)}. Set it to the same number everywhere, or stop those first."
    )


def _require_no_other() -> None:
    if (why := misfit(_of_others().live())) is not None:
        raise UnfitServer(why)


def _of_others() -> LeaseQuerySet:
    """Held by senders of another division, alive or not."""
    every = Lease.objects.filter(role=Lease.Role.SENDER, holder__contains=_MARK)
    return every.exclude(holder__endswith=_division())


def _division() -> str:
    return f"{_MARK}{settings.RELAY_SENDER_SHARDS}"
