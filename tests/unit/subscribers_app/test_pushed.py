"""Nobody fetches or settles what a sender sends."""

import asyncio
from typing import Any

import pytest
from django.http import QueryDict
from rest_framework.exceptions import PermissionDenied

from relaybase.http.problems import Problem
from relaycore.delivering.settings import Settings
from subscribers_app.api import pulling
from subscribers_app.api.pulling import Call
from subscribers_app.pulling.room import Place
from subscribers_app.remembering import KnownSubscription


class _Asked:
    query_params = QueryDict()


def _call(refusal: str | None = None) -> Call:
    async def body() -> Any:
        return {}

    async def never() -> None:
        await asyncio.get_running_loop().create_future()

    return Call(_Asked(), lambda right, channel=None: refusal, body, never)


@pytest.fixture
def pushed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each subscription is sent to an endpoint."""
    settings = Settings(deadline_ms=1, most_deliveries=None, most_outstanding=1, is_ordered=False)
    common: Any = (None, "body", 0, settings, 1, "", [])
    known = KnownSubscription(1, "billing", "orders", "webhook", "lease", True, *common)

    async def found(name: str) -> KnownSubscription:
        return known

    monkeypatch.setattr(pulling, "_subscription", found)


@pytest.mark.parametrize("verb", ["fetch", "commit", "ack", "nack", "extend"])
def test_what_is_pushed_is_not_pulled(pushed: None, verb: str) -> None:
    async def run(call: Call) -> Any:
        more = (Place(),) if verb == "fetch" else ()
        return await getattr(pulling, verb)(call, "billing", *more)

    with pytest.raises(Problem) as caught:
        asyncio.run(run(_call()))
    assert (caught.value.status_code, caught.value.kind) == (409, "wrong-kind")
    assert "sent to its endpoint" in str(caught.value.detail)
    with pytest.raises(PermissionDenied, match="not yours"):
        asyncio.run(run(_call("not yours")))
