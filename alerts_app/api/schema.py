"""Rules and alerts in the OpenAPI schema."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers

from alerts_app import trying
from alerts_app.defaults import SETTINGS
from alerts_app.models import Rule
from relaybase.http.openapi import cursor, error_responses, limit, page, query
from relaycore.channels import MAX_NAME_BYTES
from relaycore.position import POSITION_CHARS
from subscribers_app.models import NAME_PATTERN

F = TypeVar("F", bound=Callable[..., Any])
Serializer = serializers.Serializer[Any]

NOT_A_BODY: Final = (413, 415)
NAME: Final = OpenApiParameter("name", str, OpenApiParameter.PATH)
_IF_MATCH: Final = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description="The ETag of what this is decided by."
)
_SETTINGS: Final = {"type": "object", "description": "docs/alerts.md says what each kind takes."}
START: Final = {
    "oneOf": [
        {"type": "string", "enum": ["earliest", "latest"]},
        {
            "type": "object",
            "properties": {"time": {"type": "string", "format": "date-time"}},
            "required": ["time"],
            "additionalProperties": False,
        },
        {
            "type": "object",
            "properties": {"position": {"type": "string", "maxLength": POSITION_CHARS}},
            "required": ["position"],
            "additionalProperties": False,
        },
    ]
}


class FaresSchema(Serializer):
    """How far a rule has come."""

    position = serializers.CharField(help_text="Up to here it has taken everything.")
    time = serializers.DateTimeField(help_text="Up to then it has told what was due.")
    revision = serializers.IntegerField(help_text="Of the settings in force.")
    waiting = serializers.IntegerField(
        allow_null=True, help_text="So many messages it has not taken, 1000 at most. null: not known."
    )
    waiting_exact = serializers.BooleanField(help_text="false: there are more, or that is not known.")
    open = serializers.IntegerField(help_text="So many alerts.")
    unusable = serializers.IntegerField(help_text="So many messages it could not use.")
    last_unusable = serializers.CharField(allow_null=True, help_text="Why not the last of them.")
    outputs = serializers.IntegerField(help_text="So many messages it has told.")
    kept_at = serializers.DateTimeField(help_text="When it last kept where it stands.")


class RuleSchema(Serializer):
    """A rule."""

    name = serializers.CharField()
    uuid = serializers.CharField(
        help_text="What the ids of its outputs are made of. Another one when it begins anew."
    )
    channel = serializers.CharField(help_text="What it reads.")
    to = serializers.CharField(help_text="What it writes.")
    kind = serializers.ChoiceField(Rule.Kind.choices)
    settings = serializers.DictField()
    revision = serializers.IntegerField(help_text="Another one with each change of the settings.")
    state = serializers.ChoiceField(Rule.State.choices)
    reason = serializers.CharField(allow_null=True, help_text="Why it is disabled, if that is known.")
    position = serializers.CharField(help_text="What stands above this one it reads.")
    fares = FaresSchema(allow_null=True, help_text="null: nobody has run it yet, or that is not known.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    address = serializers.URLField(help_text="Of this row.")


def body(more: dict[str, Any], **properties: Any) -> dict[str, Any]:
    """What a request brings."""
    schema = {"type": "object", "properties": properties, "additionalProperties": False, **more}
    return {"application/json": schema}


def extend(operation_id: str, summary: str, answer: Any, *errors: int, **more: Any) -> Callable[[F], F]:
    """An operation."""
    success = more.pop("success", 200)
    return extend_schema(
        operation_id=operation_id,
        summary=summary,
        tags=[more.pop("tag", "rules")],
        parameters=[*more.pop("parameters", [NAME])],
        responses={success: answer, **error_responses(*errors)},
        **more,
    )


rules = extend(
    "rules",
    "All rules",
    page("RulePage", RuleSchema, count=serializers.IntegerField()),
    parameters=[
        query("channel", "Only those that read this one."),
        query("to", "Only those that write this one."),
        query("kind", "Only these.", enum=Rule.Kind.values),
        query("state", "Only these.", enum=Rule.State.values),
        query("search", "A part of the name."),
        limit("Rows"),
        cursor(),
    ],
)
_CHANNEL: Final = {"type": "string", "minLength": 1, "maxLength": MAX_NAME_BYTES}
new_rule = extend(
    "new_rule",
    "Make a rule",
    RuleSchema,
    *(404, 409, *NOT_A_BODY),
    success=201,
    parameters=[],
    request=body(
        {"required": ["name", "channel", "to", "kind", "settings", "start"]},
        name={"type": "string", "pattern": f"^{NAME_PATTERN}$"},
        channel=_CHANNEL,
        to=_CHANNEL,
        kind={"type": "string", "enum": Rule.Kind.values},
        settings=_SETTINGS,
        start=START,
    ),
    examples=[
        OpenApiExample(
            "Alerts of one place that overlap are one",
            {
                "name": "by-location",
                "channel": "alerts",
                "to": "alerts.events",
                "kind": "window",
                "settings": SETTINGS,
                "start": "latest",
            },
            request_only=True,
        )
    ],
)
rule = extend("rule", "One rule", RuleSchema, 404)
change_rule = extend(
    "change_rule",
    "Replace the settings of a rule",
    RuleSchema,
    *(404, 412, *NOT_A_BODY),
    parameters=[NAME, _IF_MATCH],
    request=body({"required": ["settings"]}, settings=_SETTINGS),
)
delete_rule = extend(
    "delete_rule", "Delete a rule", None, *(404, 412), success=204, parameters=[NAME, _IF_MATCH]
)
enable = extend(
    "enable_rule",
    "Have a rule read on",
    RuleSchema,
    *(404, *NOT_A_BODY),
    request=body({}, **{"from": {"oneOf": [{"type": "string", "enum": ["here"]}, *START["oneOf"]]}}),
)
disable = extend(
    "disable_rule",
    "Have a rule stand still",
    RuleSchema,
    *(404, *NOT_A_BODY),
    request=body({}, reason={"type": "string", "maxLength": 500}),
)


class EventSchema(Serializer):
    """What would be told, and what was."""

    found = serializers.ChoiceField(trying.FOUND)
    event = serializers.CharField(allow_null=True)
    at = serializers.DateTimeField(help_text="When what causes it came, or was due.")
    message = serializers.CharField(allow_null=True, help_text="null: nothing would be told.")
    told = serializers.CharField(allow_null=True, help_text="null: nothing was told.")


class TriedSchema(Serializer):
    """What came of a back-test."""

    upto = serializers.DateTimeField(help_text="All up to then was looked at.")
    is_all = serializers.BooleanField(help_text="Whether that is all that was asked for.")
    messages = serializers.IntegerField(help_text="So many were looked at.")
    unusable = serializers.IntegerField()
    last_unusable = serializers.CharField(allow_null=True)
    counts = serializers.DictField(child=serializers.IntegerField(), help_text="By `found`, of all.")
    events = EventSchema(many=True)
    open = serializers.ListField(child=serializers.DictField(), help_text="What would be open in the end.")


_MOMENT: Final = {"type": "string", "format": "date-time"}
_RANGE: Final = {
    "since": _MOMENT,
    "until": _MOMENT,
    "limit": {"type": "integer", "minimum": 1, "maximum": trying.MOST_SHOWN, "default": 100},
}
back_test = extend(
    "back_test",
    "Try a rule on what is stored",
    TriedSchema,
    *(404, *NOT_A_BODY),
    request=body({}, settings=_SETTINGS, **_RANGE),
)
new_back_test = extend(
    "new_back_test",
    "Try a rule that there is not",
    TriedSchema,
    *(404, *NOT_A_BODY),
    parameters=[],
    request=body(
        {"required": ["channel", "kind", "settings"]},
        channel=_CHANNEL,
        kind={"type": "string", "enum": Rule.Kind.values},
        settings=_SETTINGS,
        **_RANGE,
    ),
)
