"""Subscriptions in the OpenAPI schema."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    PolymorphicProxySerializer,
    extend_schema,
    inline_serializer,
)
from rest_framework import serializers

from relaybase.http.openapi import (
    IF_MATCH,
    NOT_A_BODY,
    body,
    cursor,
    error_responses,
    limit,
    page,
    query,
    without_defaults,
)
from relaycore.delivering import settings
from subscribers_app.api.row_schema import (
    ORDER,
    STATES,
    DeadLetterSchema,
    ParkedSchema,
    SizeSchema,
    SubscriptionSchema,
    SubscriptionsSchema,
    UndeliveredSchema,
)
from subscribers_app.api.serializers import MOST_CHANNELS, MOST_DELIVERIES, MOST_IDS
from subscribers_app.kinds import kind as kinds
from subscribers_app.models import NAME_PATTERN, Subscription

F = TypeVar("F", bound=Callable[..., Any])

_TIME: Final = {
    "type": "object",
    "properties": {"time": {"type": "string", "format": "date-time"}},
    "required": ["time"],
    "additionalProperties": False,
}
_POSITION: Final = {
    "type": "object",
    "properties": {"position": {"type": "string"}},
    "required": ["position"],
    "additionalProperties": False,
}
_START: Final = {"oneOf": [{"type": "string", "enum": ["earliest", "latest"]}, _TIME, _POSITION]}
_ID: Final = {"type": "string", "pattern": "^[0-9a-fA-F]{24}$"}
_FLAG: Final = {"type": "boolean", "default": False}


def _whole(least: int, most: int, text: str, **more: Any) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": most, "description": text, **more}


_SETTINGS: Final = {
    "filter": {"type": ["object", "null"], "description": "As SNS filter policies are. null: every message."},
    "filter_scope": {"type": "string", "enum": Subscription.Scope.values},
    "delay_seconds": _whole(0, settings.MOST_DELAY_SECONDS, "So long after it was received."),
    "order": ORDER,
    "ack_deadline_seconds": _whole(
        settings.LEAST_DEADLINE_SECONDS, settings.MOST_DEADLINE_SECONDS, "So long a worker has for a message."
    ),
    "max_deliveries": _whole(
        1, MOST_DELIVERIES, "Then it is a dead letter. null: never.", type=["integer", "null"]
    ),
    "max_outstanding": _whole(1, settings.LARGEST_MOST_OUTSTANDING, "So many may be on their way."),
}


_OF_KINDS: Final = {name: one for kind in kinds.every() for name, one in kind.body_schema().items()}
_CHANGED_OF_KINDS: Final = {
    name: one
    for kind in kinds.every()
    for name, one in kind.body_schema().items()
    if name in kind.fields(is_new=False)
}
_PUSHED: Final = {"properties": {"kind": {"const": Subscription.Kind.WEBHOOK.value}}, "required": ["kind"]}


_CHANNEL: Final = {"type": "string", "minLength": 1}
_EXAMPLES: Final = [
    OpenApiExample(
        "Many workers share it",
        {"name": "billing", "channel": "orders", "mode": "lease", "start": "earliest", "max_deliveries": 5},
        request_only=True,
    ),
    OpenApiExample(
        "One reader, from now on",
        {"name": "audit", "channel": "orders", "mode": "cursor", "start": "latest"},
        request_only=True,
    ),
]
_NAME: Final = OpenApiParameter("name", str, OpenApiParameter.PATH)


def _extend(operation_id: str, summary: str, answer: Any, *errors: int, **more: Any) -> Callable[[F], F]:
    success = more.pop("success", 200)
    return extend_schema(
        operation_id=operation_id,
        summary=summary,
        tags=["subscriptions"],
        parameters=[*more.pop("parameters", [_NAME])],
        responses={success: answer, **error_responses(*errors)},
        **more,
    )


def _numbers(name: str, *members: str) -> Any:
    fields: dict[str, Any] = {member: serializers.IntegerField() for member in members}
    return inline_serializer(name, fields)


subscriptions = _extend(
    "subscriptions",
    "All subscriptions",
    page("SubscriptionPage", SubscriptionSchema, count=serializers.IntegerField()),
    404,
    parameters=[
        query("channel", "Only of this channel."),
        query("kind", "Only these.", enum=Subscription.Kind.values),
        query("mode", "Only these.", enum=Subscription.Mode.values),
        query("state", "Only these.", enum=STATES),
        query("search", "A part of the name."),
        limit("Rows"),
        cursor(),
    ],
)
new_subscription = _extend(
    "new_subscription",
    "Make a subscription",
    PolymorphicProxySerializer(
        component_name="MadeSubscription",
        serializers=[SubscriptionSchema, SubscriptionsSchema],
        resource_type_field_name=None,
    ),
    *(404, 409, *NOT_A_BODY),
    success=201,
    parameters=[],
    request=body(
        {
            "required": ["name", "start"],
            "oneOf": [{"required": ["channel"]}, {"required": ["channels"]}],
            "anyOf": [{"required": ["mode"]}, _PUSHED],
        },
        name={"type": "string", "pattern": f"^{NAME_PATTERN}$"},
        channel=_CHANNEL,
        channels={"type": "array", "items": _CHANNEL, "minItems": 1, "maxItems": MOST_CHANNELS},
        kind={"type": "string", "enum": [kind.name for kind in kinds.every()], "default": "pull"},
        mode={"type": "string", "enum": Subscription.Mode.values},
        start=_START,
        **_SETTINGS,
        **_OF_KINDS,
    ),
    examples=_EXAMPLES,
)
subscription = _extend("subscription", "One subscription, with its lag", SubscriptionSchema, 404)
change_subscription = _extend(
    "change_subscription",
    "Change what a subscription gets, and how",
    SubscriptionSchema,
    *(404, 412, *NOT_A_BODY),
    parameters=[_NAME, IF_MATCH],
    request=body({"minProperties": 1}, **without_defaults({**_SETTINGS, **_CHANGED_OF_KINDS})),
)
delete_subscription = _extend(
    "delete_subscription",
    "Delete a subscription",
    None,
    *(404, 412),
    success=204,
    parameters=[_NAME, IF_MATCH],
)
seek = _extend(
    "seek_subscription",
    "Go on from another place",
    inline_serializer(
        "Sought",
        {
            "from": serializers.CharField(help_text="Where the cursor stood."),
            "to": serializers.CharField(help_text="Where it goes."),
            "messages": serializers.IntegerField(help_text="So many lie between."),
            "exact": serializers.BooleanField(),
        },
    ),
    *(404, *NOT_A_BODY),
    request=body({"required": ["to"]}, to=_START, dry_run=_FLAG),
    examples=[
        OpenApiExample("From the start", {"to": "earliest", "dry_run": True}, request_only=True),
        OpenApiExample(
            "The message after this position is the next one",
            {"to": {"position": "1764150000000-0000000000-00000"}},
            request_only=True,
        ),
    ],
)
size = _extend("subscription_size", "How far it is behind", SizeSchema, 404)
pause = _extend(
    "pause_subscription",
    "Hand out nothing for a while",
    SubscriptionSchema,
    *(404, *NOT_A_BODY),
    request=body({}, reason={"type": "string", "maxLength": 500}),
)
resume = _extend(
    "resume_subscription",
    "Hand out again",
    SubscriptionSchema,
    *(404, *NOT_A_BODY),
    request=body({}, **{"from": {"oneOf": [{"type": "string", "enum": ["here", "latest"]}, _TIME]}}),
)
dead_letters = _extend(
    "dead_letters",
    "What was handed out too often",
    page("DeadLetterPage", DeadLetterSchema),
    404,
    parameters=[_NAME, limit("Rows"), cursor()],
)
parked = _extend(
    "parked_keys",
    "Which values wait for a message that fails",
    page("ParkedPage", ParkedSchema),
    404,
    parameters=[_NAME, limit("Rows"), cursor()],
)
_WHICH: Final = body(
    {"oneOf": [{"required": ["ids"]}, {"required": ["since"]}, {"required": ["all"]}]},
    ids={"type": "array", "items": _ID, "minItems": 1, "maxItems": MOST_IDS},
    since={"type": "string", "format": "date-time"},
    all={"type": "boolean", "const": True},
    dry_run=_FLAG,
)
redrive = _extend(
    "redrive_dead_letters",
    "Hand dead letters out again",
    _numbers("Redriven", "messages", "expired", "above_cursor"),
    *(404, 409, *NOT_A_BODY),
    request=_WHICH,
)
drop = _extend(
    "drop_dead_letters",
    "Let dead letters go",
    _numbers("Dropped", "messages"),
    *(404, 409, *NOT_A_BODY),
    request=_WHICH,
)
skip = _extend(
    "skip_message",
    "Let one message go",
    _numbers("Skipped", "messages"),
    *(404, 409, *NOT_A_BODY),
    request=body({"required": ["id"]}, id=_ID),
)
undelivered = _extend(
    "undelivered",
    "What ended undelivered, and why",
    page("UndeliveredPage", UndeliveredSchema),
    404,
    parameters=[
        _NAME,
        query("since", "From this time on.", OpenApiTypes.DATETIME),
        limit("Rows"),
        cursor(),
    ],
)
