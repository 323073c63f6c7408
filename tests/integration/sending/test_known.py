"""What is set just while a sender looks: it is not taken for what was set before."""

from collections.abc import Callable
from typing import Any

import pytest

from subscribers_app import registration, remembering
from subscribers_app.models import Subscription
from tests.integration.sending.endpoints import Place
from webhooks_app import registration as endpoints
from webhooks_app.sending import known
from webhooks_app.sending.known import Known, learn

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])

Hooks = Callable[..., Subscription]


def once(of: Any, name: str, change: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """The first time that this is called something is changed before."""
    called, changes = getattr(of, name), [change]

    def later(*args: Any, **kwargs: Any) -> Any:
        while changes:
            changes.pop()()
        return called(*args, **kwargs)

    monkeypatch.setattr(of, name, later)


def test_what_is_paused_meanwhile_and_goes_on_is_sent(
    relay_keys: Any, channel: str, hook: Hooks, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = hook(channel, place.url)
    once(remembering, "read", lambda: registration.pause(made.name), monkeypatch)
    seen = learn(0, Known())
    registration.resume(made.name)
    assert learn(0, seen).hooks[made.pk].subscription.is_active


def test_a_secret_that_is_rotated_meanwhile_is_what_is_signed_with(
    relay_keys: Any, channel: str, hook: Hooks, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = hook(channel, place.url).webhook.endpoint
    endpoints.rotate(row, "v1", 0)
    once(known, "_rows", lambda: endpoints.rotate(row, "v1", 0), monkeypatch)
    seen = learn(0, learn(0, Known()))
    assert signed(seen, row.pk) == signed(learn(0, Known()), row.pk)


def signed(found: Known, endpoint: int) -> bytes:
    signer = found.endpoints[endpoint].signer
    assert signer is not None
    return signer.lines("id", 1, b"body")
