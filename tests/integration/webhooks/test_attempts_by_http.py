"""What became of attempts, by HTTP."""

from datetime import UTC, datetime
from typing import Any

import pytest

from relaybase.connections import mongo_collection
from relaycore.sending.answers import Failure
from webhooks_app.attempts import COLLECTION, Attempted, record
from webhooks_app.models import Endpoint, Webhook

pytestmark = pytest.mark.django_db(databases=["default", "messages"])

AT = datetime.now(UTC).replace(microsecond=0)
PLACES = ("/api/v1/endpoints/billing/attempts", "/api/v1/subscriptions/billing/attempts")


def _attempt(hook: Webhook, number: int, **more: Any) -> Attempted:
    names = {"subscription_name": "billing", "endpoint_name": "billing"}
    known = {"at": AT, "position": f"{number:030d}", **names}
    told = {"status": 500, "failure": None, "seconds": 0.25, "answer": b"oh \xff"}
    return Attempted(
        subscription=hook.pk,
        endpoint=hook.endpoint_id,
        message=number.to_bytes(12, "big"),
        **{"attempt": number, "webhook_id": f"{number:024x}", **known, **told, **more},
    )


def test_they_are_shown_newest_first_in_pages(api: Any, pushed: Webhook) -> None:
    record([_attempt(pushed, 1), _attempt(pushed, 2)])
    record([_attempt(pushed, 3, status=None, failure=Failure.TIMEOUT, answer=b"")])
    for place in PLACES:
        first = api.get(f"{place}?limit=1").json()
        (row,) = first["results"]
        assert row == {
            "at": AT.isoformat().replace("+00:00", "Z"),
            "subscription": "billing",
            "endpoint": "billing",
            "message_id": f"{3:024x}",
            "position": f"{3:030d}",
            "attempt": 3,
            "webhook_id": f"{3:024x}",
            "status": None,
            "failure": "timeout",
            "seconds": 0.25,
            "answer": "",
        }
        rest = api.get(first["next"].replace("limit=1", "limit=9")).json()
        assert [(one["attempt"], one["status"], one["answer"]) for one in rest["results"]] == [
            *((2, 500, "oh �"), (1, 500, "oh �")),
        ]
        assert rest["next"] is None


def test_those_of_one_message_and_of_one_batch_are_shown_alone(api: Any, pushed: Webhook) -> None:
    batch = "b" * 24
    together = {"webhook_id": batch}
    record([_attempt(pushed, 1), _attempt(pushed, 2, **together), _attempt(pushed, 3, **together)])
    record([_attempt(pushed, 2, attempt=9)])

    def shown(place: str, query: str) -> list[tuple[int, int]]:
        rows = api.get(f"{place}?{query}").json()["results"]
        return [(int(one["message_id"], 16), one["attempt"]) for one in rows]

    for place in PLACES:
        assert shown(place, f"message={2:024x}") == [(2, 9), (2, 2)]
        assert shown(place, f"batch={batch.upper()}") == [(3, 3), (2, 2)]
        assert shown(place, f"batch={batch}&message={2:024x}") == [(2, 2)]
        assert shown(place, f"batch={1:024x}") == []
        assert api.get(f"{place}?message=x").status_code == 400
        assert api.get(f"{place}?batch={'b' * 25}").status_code == 400


def test_whoever_may_not_see_it_sees_none(api: Any, pushed: Webhook, stranger: Any) -> None:
    other = stranger({"scope": "read", "channels": ["prices"]})
    for place in PLACES:
        assert other.get(place).status_code == 403
        assert other.get(place.replace("billing", "nothing")).status_code == 403
        assert api.get(place.replace("billing", "nothing")).status_code == 404
        assert api.get(f"{place}?cursor=x").status_code == 400
        assert api.get(place).json() == {"next": None, "results": []}


def test_what_it_answered_is_shown_to_who_may_see_the_endpoint(
    api: Any, pushed: Webhook, stranger: Any, django_user_model: Any
) -> None:
    """Who reads the channel sees how its subscriptions fare, and not what somebody else's endpoint says."""
    record([_attempt(pushed, 1)])
    of_subscription = PLACES[1]
    reader = stranger({"scope": "read", "channels": ["orders"]})
    (row,) = reader.get(of_subscription).json()["results"]
    assert (row["status"], row["attempt"], row["answer"]) == (500, 1, None)
    (row,) = api.get(of_subscription).json()["results"]
    assert row["answer"] == "oh �"

    everywhere = {"scope": "read", "channels": ["*"]}
    watcher = stranger(everywhere, name="watcher", more=("webhooks_app.view_endpoint",))
    assert watcher.get(of_subscription).json()["results"][0]["answer"] == "oh �"

    Endpoint.objects.update(owner=django_user_model.objects.get(username="stranger"))
    assert reader.get(of_subscription).json()["results"][0]["answer"] == "oh �", "it is his own"
    Endpoint.objects.filter(pk=pushed.endpoint_id).update(
        owner=django_user_model.objects.get(username="watcher")
    )
    assert reader.get(of_subscription).json()["results"][0]["answer"] is None


def test_a_cursor_is_not_called_bad_for_what_else_is_wrong(api: Any, pushed: Webhook) -> None:
    record([_attempt(pushed, 1)])
    mongo_collection(COLLECTION).update_many({}, {"$set": {"failure": "of a later version"}})
    for place in PLACES:
        assert "cursor" in api.get(f"{place}?cursor=eA").json()["detail"]
        with pytest.raises(ValueError, match="of a later version"):
            api.get(place)
