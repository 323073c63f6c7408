"""One look at all three servers at once, in bounded time."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Any, Final, TypeVar

from django.db import connection

from alerts_app import watching
from relayproject import migrating
from relayproject.observing.overview import Overview, read_archive, read_streams, read_table
from relayproject.observing.readers import read_readers

PATIENCE_SECONDS: Final = 3.0

T = TypeVar("T")


_READERS: Final = "subscriptions"
_RULES: Final = "rules"


def look(*, at_readers: bool = False) -> Overview:
    """Look at everything at once, in `PATIENCE_SECONDS` at most; at subscriptions and rules if so."""
    looks: dict[str, Callable[[], Any]] = {
        "PostgreSQL": read_table,
        "Redis": read_streams,
        "MongoDB": read_archive,
    }
    lacks = {alias: partial(migrating.unapplied, alias) for alias in migrating.SERVERS}
    looks |= lacks
    if at_readers:
        looks |= {_READERS: read_readers, _RULES: watching.watch}
    pool = ThreadPoolExecutor(len(looks), thread_name_prefix="look")
    found = {server: pool.submit(_alone, read) for server, read in looks.items()}
    pool.shutdown(wait=False)  # One that hangs is left behind; its own time limit ends it.
    wait(found.values(), PATIENCE_SECONDS)
    overview = Overview()
    overview.table = _result(found, "PostgreSQL", overview.faults)
    overview.streams = _result(found, "Redis", overview.faults)
    overview.archive = _result(found, "MongoDB", overview.faults)
    if at_readers:  # Why it cannot be read is said of its server.
        overview.readers = _result(found, _READERS, {})
        overview.rules = _result(found, _RULES, {})
    for alias in lacks:  # That a server is away is said already.
        if (why := _result(found, alias, {})) is not None:
            overview.lacks[migrating.SERVERS[alias]] = why
    return overview


def _alone(read: Callable[[], T]) -> T:
    """In a thread of its own, which leaves no connection behind."""
    try:
        return read()
    finally:
        connection.close()


def _result(found: Mapping[str, "Future[Any]"], server: str, faults: dict[str, str]) -> Any:
    """What a look came to; None if it came to nothing, and then why."""
    work = found[server]
    if not work.done():
        faults[server] = f"does not answer within {PATIENCE_SECONDS:g} s"
        return None
    if (error := work.exception()) is not None:
        # Not the text: it may have an address with a password in it.
        faults[server] = f"does not answer ({type(error).__name__})"
        if "max number of clients" in str(error):
            faults[server] = "takes no more connections (maxclients)"
        return None
    return work.result()
