"""Whether one more process of a kind may be replaced now: what Kubernetes asks of a pod as its readiness.

That a worker has started says nothing: the seats of its partition may be taken, and it waits. So the
question is not whether this pod hears, but whether everything is heard so well that one pod can go:

* each seat of each partition has a listener that lives, and the leader's standby has proved that it would
  take over;
* the listeners of a partition are in as many pods as there can be, two at least where there are two seats;
* each writer's, each sender's and each processor's lease is held, by somebody who has no trouble.

While a rollout takes away one pod this is not so, and so the next one stays until somebody has taken its
place, for as long as `minReadySeconds` says. Where a server is away it is not so either: no time to replace
anything.
"""

from collections.abc import Iterable
from dataclasses import dataclass

LISTENERS, WRITERS, SENDERS, PROCESSORS = "listeners", "writers", "senders", "processors"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a live lease. `fault`: what he does not do, in a sentence; empty: nothing."""

    partition: int
    host: str
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many partitions there are, and listeners for each."""

    partitions: int
    seats: int


def listeners_fault(leaders: Iterable[Holder], seats: Iterable[Holder], wanted: Wanted) -> str | None:
    """Why no listener may be replaced; None: one may."""
    if (fault := writers_fault(leaders, wanted.partitions, "leading listener")) is not None:
        return fault
    taken = list(seats)
    for partition in range(wanted.partitions):
        hosts = [seat.host for seat in taken if seat.partition == partition]
        if len(hosts) < wanted.seats:
            return f"partition {partition} has {len(hosts)} of {wanted.seats} listeners"
        if wanted.seats > 1 and len(set(hosts)) < 2:
            return f"all listeners of partition {partition} are on {hosts[0]}"
    return None


def writers_fault(
    holders: Iterable[Holder], partitions: int, what: str = "writer", share: str = "partition"
) -> str | None:
    """Why none of those that hold one lease for each partition may be replaced; None: one may."""
    held = {holder.partition: holder for holder in holders}
    for partition in range(partitions):
        if partition not in held:
            return f"nobody holds the lease of the {what} of {share} {partition}"
        if held[partition].fault:
            return f"{what} of {share} {partition}: {held[partition].fault}"
    return None


def senders_fault(holders: Iterable[Holder], shards: int) -> str | None:
    """Why no sender may be replaced; None: one may. The partition of one is a shard."""
    return writers_fault(holders, shards, "sender", "shard")


def processors_fault(holders: Iterable[Holder], shards: int) -> str | None:
    """Why no processor may be replaced; None: one may. The partition of one is a shard."""
    return writers_fault(holders, shards, "processor", "shard")
