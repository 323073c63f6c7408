"""Subscriptions that are pushed, in the admin: to whose endpoint, and what became of the attempts."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Min
from django.http import HttpRequest
from pymongo.errors import PyMongoError

from relaycore.delivering.leasing import State
from relaycore.sending.schedule import DEFAULT_SECONDS
from relaycore.times import from_milliseconds
from subscribers_app.models import Delivery, Subscription
from webhooks_app import attempts
from webhooks_app.attempts import Attempted, Of
from webhooks_app.models import Endpoint, Webhook
from webhooks_app.rights import OTHERS

MOST: Final = 20
"""Attempts that are shown."""

_ANSWER_CHARS: Final = 200

_NOT_SHOWN: Final = "(shown to who may see the endpoint)"


@dataclass(frozen=True, slots=True)
class Tried:
    """An attempt, as it is said to a person.

    batch: in which the message was; empty: it was alone
    came:  the status, or why there was none
    """

    at: datetime
    id: str
    batch: str
    attempt: int
    came: str
    is_good: bool
    seconds: float
    answer: str


def endpoints(request: HttpRequest) -> Any:
    """Those to which he may have something sent: his own, and others' with the permission on endpoints."""
    user: Any = request.user
    return Endpoint.objects.all() if user.has_perm(OTHERS) else Endpoint.objects.filter(owner=user)


def facts(request: HttpRequest, row: Subscription) -> dict[str, Any]:
    """For the template; nothing of one that is pulled. A server that does not answer leaves a gap.

    What endpoints have answered is for who may see them.
    """
    hook = Webhook.objects.select_related("endpoint").filter(subscription=row).first()
    if hook is None:
        return {}
    waiting = Delivery.objects.filter(subscription=row, state=State.WAITING)
    due = waiting.aggregate(due=Min("due_at"))["due"]
    return {
        "hook": hook,
        "schedule": ", ".join(map(_wait, hook.schedule_seconds or DEFAULT_SECONDS)),
        "is_default": hook.schedule_seconds is None,
        "next_attempt": due and from_milliseconds(due),
        "attempts": _attempts(request, row),
        "most_attempts": MOST,
    }


def _attempts(request: HttpRequest, row: Subscription) -> list[Tried] | None:
    """The newest first; None: MongoDB does not answer."""
    try:
        found = attempts.read(Of.SUBSCRIPTION, row.pk, most=MOST).attempts
    except PyMongoError:
        return None
    seen = _seen(request, {one.endpoint for one in found})
    return [_tried(one, is_seen=one.endpoint in seen) for one in found]


def _seen(request: HttpRequest, asked: set[int]) -> set[int]:
    """Those of these endpoints that he may see: each with the permission, and his own."""
    user: Any = request.user
    if user.has_perm("webhooks_app.view_endpoint"):
        return asked
    return set(Endpoint.objects.filter(pk__in=asked, owner=user).values_list("pk", flat=True))


def _tried(one: Attempted, *, is_seen: bool) -> Tried:
    came = str(one.status) if one.status is not None else (one.failure.value if one.failure else "no answer")
    is_good = one.status is not None and 200 <= one.status < 300
    answer = one.answer[:_ANSWER_CHARS].decode("utf-8", "replace") if is_seen else _NOT_SHOWN
    batch = one.webhook_id if one.is_in_batch else ""
    return Tried(one.at, one.message.hex(), batch, one.attempt, came, is_good, one.seconds, answer)


def _wait(seconds: int) -> str:
    for size, name in ((3600, "h"), (60, "min")):
        if seconds and seconds % size == 0:
            return f"{seconds // size} {name}"
    return f"{seconds} s"
