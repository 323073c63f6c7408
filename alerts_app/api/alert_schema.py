"""Alerts in the OpenAPI schema."""

from typing import Any, Final

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from alerts_app import alerts as told
from alerts_app.api.schema import NOT_A_BODY, body, extend
from alerts_app.models import ALERT_CHARS, MOST_NOTE_CHARS, Rule
from messages_app.searching.rows import MessageSchema
from relaybase.http.openapi import cursor, limit, page, query

Serializer = serializers.Serializer[Any]


class AcknowledgedSchema(Serializer):
    """Who has seen it."""

    by = serializers.CharField()
    at = serializers.DateTimeField()
    note = serializers.CharField(allow_null=True)


class AssignedSchema(Serializer):
    """Whose it is."""

    to = serializers.CharField()
    by = serializers.CharField(help_text="Who has said so.")
    at = serializers.DateTimeField()


class NoteSchema(Serializer):
    """What somebody has written about it."""

    by = serializers.CharField()
    at = serializers.DateTimeField()
    text = serializers.CharField()


class _AnyAlert(Serializer):
    id = serializers.CharField(help_text="The attribute `alert-id` of all that is told of it.")
    state = serializers.ChoiceField(told.STATES)
    rule = serializers.CharField(allow_null=True, help_text="null: deleted, or begun anew since.")
    kind = serializers.ChoiceField(Rule.Kind.choices, allow_null=True)
    key = serializers.DictField(allow_null=True, help_text="Fields and values. null: it is not open.")
    opened_at = serializers.DateTimeField(allow_null=True, help_text="When what opened it came.")
    starts_at = serializers.DateTimeField(allow_null=True)
    ends_at = serializers.DateTimeField(allow_null=True)
    alerts = serializers.IntegerField(allow_null=True, help_text="So many messages are in it.")
    more = serializers.DictField(allow_null=True, help_text="What its kind shows beside that.")
    acknowledged = AcknowledgedSchema(allow_null=True)
    assigned = AssignedSchema(allow_null=True)


class OpenAlertSchema(_AnyAlert):
    """An alert that is open."""

    notes = serializers.IntegerField(help_text="How many.")


class AlertSchema(_AnyAlert):
    """An alert with all that is known of it."""

    channel = serializers.CharField(help_text="On which it was told.")
    notes = NoteSchema(many=True)
    history = MessageSchema(many=True)


_ID: Final = OpenApiParameter(
    "id", str, OpenApiParameter.PATH, description=f"{ALERT_CHARS} hexadecimal digits."
)
_ONE: Final[dict[str, Any]] = {"tag": "alerts", "parameters": [_ID]}

alerts = extend(
    "alerts",
    "All that is open",
    page("AlertPage", OpenAlertSchema),
    404,
    tag="alerts",
    parameters=[
        query("rule", "Only those of this rule."),
        query("state", "Only these; it need not be said.", enum=[told.OPEN]),
        limit("Rows"),
        cursor(),
    ],
)
alert = extend("alert", "One alert", AlertSchema, 404, **_ONE)
acknowledge = extend(
    "acknowledge_alert",
    "Say that somebody sees to it",
    AlertSchema,
    *(404, *NOT_A_BODY),
    request=body({}, note={"type": "string", "maxLength": MOST_NOTE_CHARS}),
    **_ONE,
)
release = extend("release_alert", "Take an acknowledgement back", AlertSchema, 404, **_ONE)
assign = extend(
    "assign_alert",
    "Say whose it is",
    AlertSchema,
    *(404, *NOT_A_BODY),
    request=body({"required": ["to"]}, to={"type": "string", "maxLength": 150}),
    **_ONE,
)
note = extend(
    "note_alert",
    "Write about it",
    AlertSchema,
    *(404, *NOT_A_BODY),
    request=body(
        {"required": ["text"]}, text={"type": "string", "minLength": 1, "maxLength": MOST_NOTE_CHARS}
    ),
    **_ONE,
)
