"""Each call: what is asked, and who answers."""

import functools
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.conf import settings

from access_app.actor import Actor, acting
from alerts_app.receiving import posting, showing
from alerts_app.receiving.keeping import keeper
from alerts_app.silencing import registration as silencing
from alerts_app.silencing.models import Silence
from compat_app.alertmanager import shapes
from compat_app.alertmanager.failures import Failure
from compat_app.alertmanager.filters import Query, asked
from relaybase.http import parsers
from relaycore.alerting.labelled import posted
from relaycore.alerting.labelled.matchers import match_all
from relaycore.alerting.labelled.posted import Alert
from relaycore.alerting.labelled.refused import BadAlert
from relaycore.rights import MANAGE, PUBLISH, READ

MOST_BODY_BYTES: Final = 8 << 20
MOST_ALERTS: Final = 10_000
"""In one request."""

_MOST_TOLD: Final = 20
_STATES: Final = ("active", "pending", "expired")
_BEGAN: Final = datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Call:
    """A request. `id`: what the address names."""

    query: Query
    body: bytes
    actor: Actor
    id: str = ""

    def json(self) -> Any:
        """What the body says.

        Raises:
            ParseError: it is no JSON.
        """
        return parsers.decode(self.body)


Work = Callable[[Call], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Known:
    """A call: what it is counted as, the right it needs, and who answers."""

    name: str
    right: str
    work: Work


async def status(call: Call) -> Any:
    """What this is."""
    return shapes.status(await keeper().ask(showing.receivers), _BEGAN)


async def receivers(call: Call) -> Any:
    """Their names."""
    found = await keeper().ask(showing.receivers)
    return [{"name": name, "labels": {}} for name in found]


# --- alerts ----------------------------------------------------------------------------------


async def post_alerts(call: Call) -> None:
    """What fires, and what does no longer. All that is valid is taken."""
    came_at = time.monotonic()
    # What is no text in one of them is no reason to refuse the others.
    given = parsers.decode(call.body, is_lenient=True)
    if not isinstance(given, list):
        raise Failure(400, "Alerts must be an array of objects.")
    if len(given) > MOST_ALERTS:
        raise Failure(400, f"There may be {MOST_ALERTS} alerts in one request.")
    at = time.time_ns() // 1_000_000
    taken, refused = list[Alert](), list[str]()
    for index, one in enumerate(given):
        try:
            taken.append(posted.read(one, at, round(settings.RELAY_ALERTMANAGER_RESOLVE_SECONDS * 1000)))
        except BadAlert as exc:
            refused.append(f"alert {index}: {exc}")
    if taken:
        is_late = functools.partial(keeper().is_late, came_at)
        has_changed: bool = await keeper().ask(functools.partial(posting.take, taken, is_late))
        if has_changed:
            await keeper().told()
    if refused:
        more = f" And {len(refused) - _MOST_TOLD} more." if len(refused) > _MOST_TOLD else ""
        raise Failure(400, " ".join(refused[:_MOST_TOLD]) + more)


async def alerts(call: Call) -> Any:
    """What fires."""
    wanted = asked(call.query)
    return [shapes.alert(one) for one in await keeper().ask(showing.firing) if wanted.has(one)]


async def groups(call: Call) -> Any:
    """The same by receiver and group."""
    wanted = asked(call.query)
    call.query.truth("muted")
    return shapes.groups([one for one in await keeper().ask(showing.firing) if wanted.has(one)])


# --- silences --------------------------------------------------------------------------------


async def silences(call: Call) -> Any:
    """All that have not ended long ago: those that hold first, each in the order of their end."""
    wanted = call.query.matchers()
    states = {state for state in _STATES if call.query.truth(state)}

    def find() -> list[dict[str, Any]]:
        at = silencing.now()
        rows = [shapes.silence(row, at) for row in Silence.objects.order_by("ends_at", "id")]
        return [row for row in rows if row["status"]["state"] in states]

    found = await keeper().ask(find)
    found = [one for one in found if match_all(wanted, {m["name"]: m["value"] for m in one["matchers"]})]
    return sorted(found, key=lambda one: _STATES.index(one["status"]["state"]))


async def post_silence(call: Call) -> Any:
    """A new one, or another form of one."""
    silence, created_by, comment, annotations = shapes.posted_silence(call.json())

    def put() -> str:
        with acting(call.actor):
            return str(silencing.put(silence, created_by, comment, annotations).id)

    return {"silenceID": await keeper().ask_once(put)}


async def silence(call: Call) -> Any:
    """One of them."""
    return await keeper().ask(lambda: shapes.silence(silencing.find(call.id), silencing.now()))


async def delete_silence(call: Call) -> None:
    """It ends now. Another time is no error."""

    def expire() -> None:
        with acting(call.actor):
            silencing.expire(call.id)

    await keeper().ask(expire)


CALLS: Final[Mapping[str, Mapping[str, Known]]] = {
    "/status": {"GET": Known("status", READ, status)},
    "/receivers": {"GET": Known("receivers", READ, receivers)},
    "/alerts": {"GET": Known("alerts", READ, alerts), "POST": Known("post-alerts", PUBLISH, post_alerts)},
    "/alerts/groups": {"GET": Known("alert-groups", READ, groups)},
    "/silences": {
        "GET": Known("silences", READ, silences),
        "POST": Known("post-silence", MANAGE, post_silence),
    },
    "/silence/": {
        "GET": Known("silence", READ, silence),
        "DELETE": Known("delete-silence", MANAGE, delete_silence),
    },
}
"""By path and method. A path with a slash at its end has an id behind it."""
