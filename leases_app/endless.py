"""The frame of an endless task: what listeners, writers, senders and others do around their loops.

    1.  SIGTERM asks the loop to end, and no more ends it at any instruction.
    2.  Nothing begins where the deployment does not fit, or for a share that is not there any more.
    3.  The loop claims its lease. If somebody else has it the task ends at once, and nothing has changed.
    4.  While it runs a heartbeat keeps the term (`under`).
    5.  An error of ours ends the task and is logged. What is none of ours is the task's: Celery logs it.
    6.  It has left a place empty: proposals are made at once, and not at beat's next turn.
    7.  A process that was told to end itself ends.

A loop is a function of `stopping`, which it asks often. It says False if it was not to run, since somebody
else has the lease; True when it has run.
"""

import contextlib
import gc
import logging
import signal
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from celery import Task

from leases_app import deployment
from leases_app.heartbeat import Heartbeat
from leases_app.leasing import Condition, Held, Term
from leases_app.models import share_of
from relaybase import stopping
from relaybase.proposing import enough_wait
from relaybase.proposing import propose as have_proposed
from relaycore.errors import RelayError

log = logging.getLogger(__name__)

Loop = Callable[[Callable[[], bool]], bool]


def run(role: str, number: int, loop: Loop, is_there: Callable[[int], bool]) -> None:
    """A task of Celery: until the worker stops, or the term is over.

    number:   of the partition or shard
    is_there: whether there still is such a one. A proposal may be older than what is set

    Raises:
        SystemExit: the process was told to end.
    """
    share, has_run = share_of(role), False
    try:
        has_run = run_here(loop, signal.SIGTERM, is_wanted=lambda: is_there(number))
    except RelayError as exc:
        log.error("%s %d: %s", share, number, exc, extra={share: number})
    if has_run or stopping.asked():
        have_proposed()
    stopping.leave_if_signalled()


def run_here(loop: Loop, *signals: signal.Signals, is_wanted: Callable[[], bool] = lambda: True) -> bool:
    """Until one of these signals, or whatever else asks to end; False if it was not to run.

    Raises:
        RelayError: the deployment does not fit, or the loop cannot begin.
    """
    stopping.listen_to_signals(*signals)
    deployment.require()
    return is_wanted() and loop(stopping.asked)


@contextlib.contextmanager
def under(term: Term, doing: str, condition: Callable[[], Condition]) -> Iterator[Heartbeat]:
    """What is done inside is done under this term, which is renewed and released. `doing`: as it is logged.

    condition: see `Heartbeat`
    """
    share = share_of(term.role)
    log.info("%s %d: %s, epoch %d", share, term.partition, doing, term.epoch)
    with Heartbeat(term, condition) as heartbeat:
        yield heartbeat
    log.info("%s %d: stopped %s, epoch %d", share, term.partition, doing, term.epoch)


def propose(role: str, numbers: Iterable[int], held: Held, task: "Task[..., Any]", queue: str) -> None:
    """Send a task for each of these partitions or shards that lacks one, unless enough wait in its queue."""
    lacking = held.lacking(role, set(numbers))
    if lacking and not enough_wait(queue, len(lacking)):
        for number in sorted(lacking):
            task.apply_async((number,))


@contextlib.contextmanager
def rare_collections() -> Iterator[None]:
    """What a loop takes comes as lists, which Python counts, and never in circles, which it looks for.

    Looking less often saves a standby, which keeps them for a while, 19 % of what it does for a message.
    """
    before = gc.get_threshold()
    gc.set_threshold(50_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)
