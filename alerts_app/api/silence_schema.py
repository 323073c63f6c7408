"""Silences in the OpenAPI schema."""

from typing import Any, Final

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from alerts_app.api.schema import NOT_A_BODY, body, extend
from alerts_app.silencing.models import MOST_NOTE_CHARS
from relaybase.http.openapi import cursor, limit, page, query
from relaycore.alerting.labelled import matchers
from relaycore.alerting.labelled.silences import STATES

ID: Final = OpenApiParameter("id", str, OpenApiParameter.PATH)


class SilenceSchema(serializers.Serializer[Any]):
    """A silence."""

    id = serializers.UUIDField()
    state = serializers.ChoiceField(STATES)
    matchers = serializers.ListField(child=serializers.CharField(help_text='As name="value".'))
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    created_by = serializers.CharField()
    comment = serializers.CharField()
    updated_at = serializers.DateTimeField()


silences = extend(
    "silences",
    "All silences",
    page("SilencePage", SilenceSchema),
    tag="silences",
    parameters=[query("state", "Only these.", enum=STATES), limit("Rows"), cursor()],
)
new_silence = extend(
    "new_silence",
    "Make a silence",
    SilenceSchema,
    *NOT_A_BODY,
    success=201,
    tag="silences",
    parameters=[],
    request=body(
        {"required": ["matchers", "ends_at"]},
        matchers={
            "type": "array",
            "minItems": 1,
            "maxItems": matchers.MOST,
            "items": {"type": "string", "examples": ['alertname="Slow"']},
        },
        starts_at={"type": ["string", "null"], "format": "date-time", "description": "null: now."},
        ends_at={"type": "string", "format": "date-time"},
        comment={"type": "string", "maxLength": MOST_NOTE_CHARS},
    ),
)
silence = extend("silence", "One silence", SilenceSchema, 404, tag="silences", parameters=[ID])
delete_silence = extend(
    "delete_silence", "End a silence", None, 404, success=204, tag="silences", parameters=[ID]
)
