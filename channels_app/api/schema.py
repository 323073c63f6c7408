"""The channels in the OpenAPI schema."""

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field, inline_serializer
from rest_framework import serializers

from channels_app.models import LEAST_RETENTION_SECONDS, MOST_RETENTION_SECONDS, Channel
from channels_app.ranges import GapSchema
from relaybase.http.openapi import cursor, error_responses, limit, page, query
from relaycore.channels import MAX_NAME_BYTES

F = TypeVar("F", bound=Callable[..., Any])

_POLICY = {
    "oneOf": [
        {"type": "string", "enum": ["content", "every"]},
        {
            "type": "object",
            "properties": {"field": {"type": "string", "minLength": 1}},
            "required": ["field"],
            "additionalProperties": False,
        },
    ]
}


@extend_schema_field(_POLICY)
class _PolicyField(serializers.JSONField):
    """Which messages are the same."""


class _Listener(serializers.Serializer):  # type: ignore[type-arg]
    """Who listens."""

    host = serializers.CharField()
    pid = serializers.IntegerField()
    task_id = serializers.CharField(allow_blank=True)
    epoch = serializers.IntegerField()
    since = serializers.DateTimeField()


class _Count(serializers.Serializer):  # type: ignore[type-arg]
    """Messages of one window, which may be longer than it says by up to a sixth."""

    messages = serializers.IntegerField()
    per_second = serializers.FloatField(help_text="The mean rate.")


class _Recent(serializers.Serializer):  # type: ignore[type-arg]
    """What was stored lately."""

    minute = _Count()
    hour = _Count()
    day = _Count()


class ChannelSchema(serializers.Serializer):  # type: ignore[type-arg]
    """A channel."""

    id = serializers.IntegerField()
    channel = serializers.CharField()
    subscription_status = serializers.ChoiceField(Channel.Status.choices)
    deduplicate = _PolicyField()
    retention_seconds = serializers.IntegerField(allow_null=True, help_text="null: kept for ever.")
    partition = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    why_not_heard = serializers.CharField(
        required=False, allow_null=True, help_text="Why it is INACTIVE, and what to do. null: it is ACTIVE."
    )
    active_since = serializers.DateTimeField(allow_null=True)
    complete_since = serializers.DateTimeField(
        allow_null=True, help_text="Nothing was missed from here on. null: it is not heard, or a gap is open."
    )
    open_gap = GapSchema(allow_null=True)
    listener = _Listener(allow_null=True)
    messages_stored = serializers.IntegerField(allow_null=True, help_text="null: Redis does not answer.")
    last_message_at = serializers.DateTimeField(allow_null=True)
    recent = _Recent(
        allow_null=True,
        help_text="What was stored within the last minute, hour and day. null: Redis does not answer.",
    )
    url = serializers.URLField()
    messages_url = serializers.URLField()
    detail = serializers.CharField(required=False, help_text="Why it is not ACTIVE within ?wait=.")


_CHANNEL = OpenApiExample(
    "A channel",
    {
        "id": 1,
        "channel": "orders",
        "subscription_status": "ACTIVE",
        "deduplicate": "content",
        "retention_seconds": 86400,
        "partition": 0,
        "created_at": "2026-11-21T12:00:00.123456Z",
        "updated_at": "2026-11-21T12:00:00.123456Z",
        "why_not_heard": None,
        "active_since": "2026-11-21T12:00:00.234567Z",
        "complete_since": "2026-11-21T12:00:00.234567Z",
        "open_gap": None,
        "listener": {
            "host": "relay-1",
            "pid": 4711,
            "task_id": "0b8f6c1e-5f0e-4a53-9c53-6c1de1a3f9e4",
            "epoch": 3,
            "since": "2026-11-21T11:58:00.000000Z",
        },
        "messages_stored": 123456,
        "last_message_at": "2026-11-21T12:34:56.789000Z",
        "recent": {
            "minute": {"messages": 640, "per_second": 9.85},
            "hour": {"messages": 36120, "per_second": 9.6},
            "day": {"messages": 123456, "per_second": 1.41},
        },
        "url": "https://relay.example.org/api/v1/channels/orders",
        "messages_url": "https://relay.example.org/api/v1/messages?channel=orders",
    },
    response_only=True,
    status_codes=["200", "201"],
)

_NAME = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_NAME_BYTES,
    "pattern": r"^[^\u0000-\u001f\u007f]+$",
    "description": "1 to 255 bytes of UTF-8 without control characters.",
}


_RETENTION = {
    "type": ["integer", "null"],
    "minimum": LEAST_RETENTION_SECONDS,
    "maximum": MOST_RETENTION_SECONDS,
    "description": "Older messages are deleted, those stored already too. null: never.",
}


def _body(more: dict[str, Any], **properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "additionalProperties": False, **more}
    return {"application/json": schema}


_EXAMPLES = [
    OpenApiExample("The same text once", {"channel": "orders"}, request_only=True),
    OpenApiExample(
        "Once for each id", {"channel": "orders", "deduplicate": {"field": "id"}}, request_only=True
    ),
]
_NOT_A_BODY = (413, 415)

start_listening = extend_schema(
    operation_id="start_listening",
    summary="Start listening to a channel",
    tags=["channels"],
    parameters=[
        query("wait", "Seconds to wait until it is ACTIVE.", {"type": "number", "minimum": 0, "maximum": 30})
    ],
    request=_body(
        {"required": ["channel"]}, channel=_NAME, deduplicate=_POLICY, retention_seconds=_RETENTION
    ),
    examples=[*_EXAMPLES, _CHANNEL],
    responses={201: ChannelSchema, **error_responses(403, 409, *_NOT_A_BODY)},
)
start_listening_example = extend_schema(
    operation_id="start_listening_example",
    summary="What to send there",
    tags=["channels"],
    responses={
        200: inline_serializer(
            "StartListeningExample", {"detail": serializers.CharField(), "example": serializers.JSONField()}
        ),
        **error_responses(),
    },
)
change_channel = extend_schema(
    operation_id="change_channel",
    summary="Change how a channel is kept",
    tags=["channels"],
    request=_body({"minProperties": 1}, deduplicate=_POLICY, retention_seconds=_RETENTION),
    examples=[
        OpenApiExample("Keep messages for a day", {"retention_seconds": 86400}, request_only=True),
        _CHANNEL,
    ],
    responses={200: ChannelSchema, **error_responses(403, 404, *_NOT_A_BODY)},
)


def channel(operation_id: str) -> Callable[[F], F]:
    """A channel by its name."""
    return extend_schema(
        operation_id=operation_id,
        summary="One channel, with its status",
        tags=["channels"],
        examples=[_CHANNEL],
        responses={200: ChannelSchema, **error_responses(404)},
    )


def stop(operation_id: str) -> Callable[[F], F]:
    """The end of relaying a channel."""
    return extend_schema(
        operation_id=operation_id,
        summary="Stop listening to a channel",
        tags=["channels"],
        responses={204: None, **error_responses(403, 404)},
    )


channels = extend_schema(
    operation_id="channels",
    summary="All channels, with their status",
    tags=["channels"],
    parameters=[
        query("status", "Only these.", enum=Channel.Status.values),
        query("search", "A part of the name."),
        limit("Rows"),
        cursor(),
    ],
    responses={
        200: page("ChannelPage", ChannelSchema, count=serializers.IntegerField()),
        **error_responses(),
    },
)
