"""/healthz and /readyz: whether this process lives, and whether Relay works."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, JsonResponse

from channels_app.report import hears_nothing
from leases_app.models import Lease
from live.counting import COUNTS
from relaybase.http.unplaced import places, without_places
from relaycore.fitness import Finding
from relayproject.observing.looking import look
from relayproject.observing.loops import Loop
from relayproject.observing.overview import Overview, Table


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be well. `detail` says what is wrong with it, and since when.

    waiting: messages in a loop's memory; None: it is no loop
    warning: what would lose messages together with a second fault; empty: nothing
    is_exact: whether no more than that waits
    """

    name: str
    detail: str | None = None
    waiting: int | None = None
    warning: str = ""
    is_exact: bool = True

    def as_json(self) -> dict[str, Any]:
        """For the answer, which is for everybody: what a driver says of its server is no map of them."""
        told = {} if self.detail is None else {"detail": without_places(self.detail, _places())}
        waiting: dict[str, Any] = {} if self.waiting is None else {"waiting": self.waiting}
        if not self.is_exact:
            waiting["waiting_exact"] = False
        warning = {"warning": without_places(self.warning, _places())} if self.warning else {}
        return {"name": self.name, "ok": self.detail is None, **told, **waiting, **warning}


@cache
def _places() -> list[str]:
    servers = settings.SERVERS
    return places([servers.database_url, servers.redis_url, servers.mongo_url, settings.CELERY_BROKER_URL])


def healthz(request: HttpRequest) -> JsonResponse:
    """This process answers. It asks nobody else: a restart of it would mend nothing there."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """Everything works: 200, or 503 and what does not. For people and alerts."""
    return _answer(checks(look()))


def readyz_web(request: HttpRequest) -> JsonResponse:
    """This web process can work: 200 or 503. For load balancers.

    It must not go out of service because a listener has: then nobody could see why.
    """
    fault = look().faults.get("PostgreSQL")
    return _answer([Check("PostgreSQL", fault)])


def checks(overview: Overview) -> list[Check]:
    """Each server, each loop, the channels, and who watches here."""
    faults = {"PostgreSQL": None, "Redis": overview.foreign, "MongoDB": None} | overview.faults
    if overview.streams is not None and overview.streams.refuses is not None:
        faults["Redis"] = f"takes nothing, since {overview.streams.refuses}: what is heard now is not stored"
    faults |= overview.lacks  # A table that is not there yet looks like a server that does not answer.
    found = [_of_server(server, fault, overview.findings.get(server, ())) for server, fault in faults.items()]
    if overview.table is not None:
        found.append(Check("RELAY_PARTITIONS", overview.misfit))
        found.append(Check("RELAY_SECRET_KEY", overview.table.secret))
        found += [Check(setting, why) for setting, why in overview.table.divisions.items()]
        found += [
            Check(str(loop), _why_not(loop, overview.table), loop.waiting, is_exact=loop.is_exact)
            for loop in overview.table.loops
        ]
        found += [
            Check(f"standby of partition {number}", why) for number, why in overview.table.standbys.items()
        ]
        found.append(Check("channels that Redis refuses", _refused(overview.table)))
        found.append(Check("channels with an open gap", _unheard(overview.table)))
    # Of this process alone: of the others nothing is known here, each of them says it itself.
    found.append(Check("clients that watch here", COUNTS.showing.trouble(time.monotonic()) or None))
    return found


def _of_server(server: str, fault: str | None, findings: Sequence[Finding]) -> Check:
    serious = [one.sentences for one in findings if one.serious]
    if fault is not None:
        serious.insert(0, f"{fault}." if serious else fault)
    warnings = [one.sentences for one in findings if not one.serious]
    return Check(server, " ".join(serious) or None, warning=" ".join(warnings))


def _why_not(loop: Loop, table: Table) -> str | None:
    if not loop.is_live:
        if loop.heartbeat_at is None:
            return "nobody has held its lease yet"
        return f"nobody holds its lease since {loop.heartbeat_at:%Y-%m-%dT%H:%M:%SZ}"
    if loop.role == Lease.Role.LISTENER and not loop.hears and loop.partition in table.listed:
        return hears_nothing(loop.heard_at, loop.trouble)
    return loop.trouble or None


def _refused(table: Table) -> str | None:
    """Not which: their names are not for everybody, and everybody may ask for this."""
    if not table.refused:
        return None
    return f"{table.refused} of {sum(one.channels for one in table.listed.values())}"


def _unheard(table: Table) -> str | None:
    if not table.unheard:
        return None
    return f"{table.unheard} {'channel is' if table.unheard == 1 else 'channels are'} not heard"


def _answer(found: list[Check]) -> JsonResponse:
    ready = all(check.detail is None for check in found)
    body = {"status": "ready" if ready else "not ready", "checks": [check.as_json() for check in found]}
    return JsonResponse(body, status=200 if ready else 503)
