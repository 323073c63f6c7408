"""The history of a channel is read off its index, in order. `relaybase.mongo` sees to it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from bson import ObjectId
from django.db import connections

from messages_app.models import Message


def _stages(plan: dict[str, Any]) -> Iterator[str]:
    yield plan["stage"]
    for inner in [plan["inputStage"]] if "inputStage" in plan else plan.get("inputStages", []):
        yield from _stages(inner)


def _explained(archive: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    archive.insert_many(
        {
            "_id": ObjectId(),
            "channel": f"channel {n % 10}",
            "message": str(n),
            "received_at": now,
            "position": f"{n:013d}-0000000000-00000",
        }
        for n in range(2000)
    )
    page = Message.objects.filter(channel="channel 3", position__lt="0000000001000-0000000000-00000")
    found: dict[str, Any] = json.loads(page.order_by("-position")[:21].explain())
    return found


def test_a_page_is_read_off_the_index_and_never_sorted(archive: Any) -> None:
    plan = _explained(archive)

    stages = list(_stages(plan["queryPlanner"]["winningPlan"]))
    assert stages == ["LIMIT", "FETCH", "IXSCAN"]
    assert plan["executionStats"]["totalDocsExamined"] == 21


def test_the_stock_compiler_would_sort(archive: Any, monkeypatch: Any) -> None:
    # If this fails, the engine of our own in relaybase.mongo is needed no more.
    operations = connections["messages"].ops
    monkeypatch.setattr(operations, "compiler_module", "django_mongodb_backend.compiler")
    monkeypatch.setattr(operations, "_cache", None)

    assert any("$sort" in stage for stage in _explained(archive)["stages"])
