"""/healthz and /readyz: whether this process lives, and whether Relay works."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, JsonResponse

from relayproject.observing.state import Loop, State, look


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be well. `detail` says what is wrong with it, and since when."""

    name: str
    detail: str | None = None

    def as_json(self) -> dict[str, Any]:
        """For the answer."""
        told = {} if self.detail is None else {"detail": self.detail}
        return {"name": self.name, "ok": self.detail is None, **told}


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


def checks(state: State) -> list[Check]:
    """Each server and each loop."""
    faults = {"Redis": state.foreign} | state.faults
    found = [Check(server, faults.get(server)) for server in ("PostgreSQL", "Redis", "MongoDB")]
    if state.table is not None:
        found.append(Check("RELAY_PARTITIONS", state.table.misfit))
        found.append(Check("RELAY_SECRET_KEY", state.table.secret))
        found += [Check(str(loop), _why_not(loop)) for loop in state.table.loops]
    return found


def _why_not(loop: Loop) -> str | None:
    if loop.is_live:
        return None
    if loop.heartbeat_at is None:
        return "nobody has held its lease yet"
    return f"nobody holds its lease since {loop.heartbeat_at:%Y-%m-%dT%H:%M:%SZ}"


def _answer(found: list[Check]) -> JsonResponse:
    ready = all(check.detail is None for check in found)
    body = {"status": "ready" if ready else "not ready", "checks": [check.as_json() for check in found]}
    return JsonResponse(body, status=200 if ready else 503)
