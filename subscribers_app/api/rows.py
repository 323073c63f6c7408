"""What subscriptions, dead letters and what ended undelivered look like to clients."""

from collections.abc import Mapping
from typing import Any

from rest_framework.request import Request
from rest_framework.reverse import reverse

from messages_app.searching.rows import timestamp
from relaybase.http.addresses import quoted
from relaycore.times import from_milliseconds
from subscribers_app.activity import Activity, Answer
from subscribers_app.ended import Ended
from subscribers_app.kinds import kind as kinds
from subscribers_app.lag import Lag
from subscribers_app.models import Delivery, Subscription
from subscribers_app.pulling.holding import Parked


class Rows:
    """Subscriptions as JSON, with addresses for this request."""

    def __init__(self, request: Request) -> None:
        self._subscriptions = reverse("subscriptions", request=request)
        self._channels = reverse("channels", request=request)

    def address(self, row: Subscription) -> str:
        """Where it is."""
        return f"{self._subscriptions}/{quoted(row.name)}"

    def row(
        self, row: Subscription, lag: Lag | None, activity: Activity | None, of_its_kind: Mapping[str, Any]
    ) -> dict[str, Any]:
        """One subscription. What its mode does not have is null, and what its kind does not have."""
        leases = row.mode == Subscription.Mode.LEASE
        settles = leases and kinds.of(row.kind).is_pulled
        shown = {
            "id": row.pk,
            "name": row.name,
            "channel": row.channel.channel,
            "kind": row.kind,
            "mode": row.mode,
            "state": row.state,
            "reason": row.reason or None,
            "filter": row.filter,
            "filter_scope": row.filter_scope,
            "order": row.order_as_json if leases else None,
            "delay_seconds": row.delay_seconds,
            "ack_deadline_seconds": row.ack_deadline_seconds if settles else None,
            "max_deliveries": row.max_deliveries if settles else None,
            "max_outstanding": row.max_outstanding if leases else None,
            "position": row.position,
            "lag": lag and size(lag),
            "rates": activity and rates(activity),
            "last_fetch_at": row.last_fetch_at,
            "last_handed_out_at": activity and activity.handed_out_at,
            "last_answer": activity and activity.answer and said(activity.answer),
            "created_at": row.created_at,
            "updated_at": row.updated_at,
            "url": self.address(row),
            "channel_url": f"{self._channels}/{quoted(row.channel.channel)}",
        }
        return {**shown, **of_its_kind}


def size(lag: Lag) -> dict[str, Any]:
    """How far it is behind."""
    return {"messages": lag.messages, "exact": lag.is_exact, "age_seconds": lag.age_seconds}


def rates(activity: Activity) -> dict[str, Any]:
    """How many messages a second."""
    return {
        "seconds": round(activity.seconds, 1),
        "handed_out": round(activity.handed_out, 3),
        "done": None if activity.done is None else round(activity.done, 3),
        "nacked": round(activity.nacked, 3),
    }


def said(answer: Answer) -> dict[str, Any]:
    """What a reader said last."""
    return {"answer": answer.what, "at": answer.at}


def letter(row: Delivery, is_expired: bool) -> dict[str, Any]:
    """A dead letter."""
    return {
        "id": bytes(row.message_id).hex(),
        "position": row.position,
        "attempts": row.attempt,
        "why": row.why,
        "died_at": row.died_at and timestamp(row.died_at),
        "expired": is_expired,
    }


def parked(one: Parked) -> dict[str, Any]:
    """A key whose message fails."""
    return {
        "key": one.key,
        "since": timestamp(one.since),
        "waiting": one.messages,
        "id": one.message_id.hex(),
        "position": one.position,
        "state": one.state,
        "attempts": one.attempt,
        "again_at": timestamp(from_milliseconds(one.due_at)),
    }


def ended(one: Ended) -> dict[str, Any]:
    """What ended undelivered."""
    return {
        "at": timestamp(one.at),
        "cause": one.cause,
        "why": one.why or None,
        "after": one.after or None,
        "upto": one.upto,
        "messages": one.messages,
    }
