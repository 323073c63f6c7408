"""Noting that something has happened, in the transaction in which it happens."""

import json
from collections.abc import Mapping
from typing import Any, Final

from django.db.backends.utils import CursorWrapper

from events_app.models import Event

Type: Final = Event.Type


def note(
    sql: CursorWrapper, type: Event.Type, number: int, when: int, subject: str, data: Mapping[str, Any]
) -> None:
    """It is told once this is committed. The same `type` of the same `number` and `when` is told once.

    By statements alone, since some transactions are none of Django's.

    number:  of the row that it is about
    when:    since when it is so, or in which revision
    subject: where the API has it, below `/api/v1/`
    data:    as JSON; no body of a message, and no secret
    """
    sql.execute(
        "INSERT INTO events (key, type, subject, data) VALUES (%s, %s, %s, %s) ON CONFLICT (key) DO NOTHING",
        [f"{type.value}:{number}:{when}", type.value, subject, json.dumps(data)],
    )
