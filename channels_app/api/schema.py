"""The channels in the OpenAPI schema."""

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiResponse,
    extend_schema,
    inline_serializer,
)
from rest_framework import serializers

from channels_app.api.channel_schema import POLICY, ChannelSchema, StartedSchema
from channels_app.api.serializers import MOST_STARTED
from channels_app.models import LEAST_RETENTION_SECONDS, MOST_RETENTION_SECONDS, Channel
from relaybase.http.openapi import IF_MATCH, NOT_A_BODY, body, cursor, error_responses, limit, page, query
from relaycore.channels import MAX_NAME_BYTES
from relaycore.live.broadcasts import MOST_CHARACTERS

F = TypeVar("F", bound=Callable[..., Any])

_CHANNEL = OpenApiExample(
    "A channel",
    {
        "id": 1,
        "channel": "orders",
        "listen": True,
        "subscription_status": "ACTIVE",
        "deduplicate": "content",
        "retention_seconds": 86400,
        "shortened": None,
        "republish": True,
        "public": False,
        "broadcast": None,
        "partition": 0,
        "created_at": "2026-11-21T12:00:00.123456Z",
        "updated_at": "2026-11-21T12:00:00.123456Z",
        "why_not_heard": None,
        "active_since": "2026-11-21T12:00:00.234567Z",
        "complete_since": "2026-11-21T12:00:00.235000Z",
        "open_gap": None,
        "listener": {
            "host": "relay-1",
            "pid": 4711,
            "task_id": "0b8f6c1e-5f0e-4a53-9c53-6c1de1a3f9e4",
            "epoch": 3,
            "since": "2026-11-21T11:58:00.000000Z",
        },
        "watching": 2,
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

_FLAG = {"type": "boolean"}
_BROADCAST = {
    "type": ["string", "null"],
    "minLength": 1,
    "maxLength": MOST_CHARACTERS,
    "pattern": "^[A-Za-z0-9][A-Za-z0-9._:/-]*$",
    "description": "The Socket.IO event by which every connected page gets it. Only where it is public.",
}
_FLAGS = {"listen": _FLAG, "republish": _FLAG, "public": _FLAG, "broadcast": _BROADCAST}


_EXAMPLES = [
    OpenApiExample("The same text once", {"channel": "orders"}, request_only=True),
    OpenApiExample(
        "Once for each id", {"channel": "orders", "deduplicate": {"field": "id"}}, request_only=True
    ),
]

start_listening = extend_schema(
    operation_id="start_listening",
    summary="Start listening to a channel",
    tags=["channels"],
    parameters=[
        query("wait", "Seconds to wait until it is ACTIVE.", {"type": "number", "minimum": 0, "maximum": 30})
    ],
    request=body(
        {"oneOf": [{"required": ["channel"]}, {"required": ["channels"]}]},
        channel=_NAME,
        channels={"type": "array", "items": _NAME, "minItems": 1, "maxItems": MOST_STARTED},
        deduplicate=POLICY,
        retention_seconds=_RETENTION,
    ),
    examples=[*_EXAMPLES, _CHANNEL],
    responses={
        200: OpenApiResponse(StartedSchema, "Of several channels."),
        201: ChannelSchema,
        **error_responses(409, *NOT_A_BODY),
    },
)
new_channel = extend_schema(
    operation_id="new_channel",
    summary="Make a channel, to be published on by HTTP",
    tags=["channels"],
    request=body(
        {"required": ["channel"]}, channel=_NAME, deduplicate=POLICY, retention_seconds=_RETENTION, **_FLAGS
    ),
    examples=[OpenApiExample("By HTTP alone", {"channel": "orders"}, request_only=True), _CHANNEL],
    responses={201: ChannelSchema, **error_responses(409, *NOT_A_BODY)},
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
    summary="Change how a channel is heard and kept",
    tags=["channels"],
    parameters=[IF_MATCH],
    request=body({"minProperties": 1}, deduplicate=POLICY, retention_seconds=_RETENTION, **_FLAGS),
    examples=[
        OpenApiExample("Keep messages for a day", {"retention_seconds": 86400}, request_only=True),
        _CHANNEL,
    ],
    responses={200: ChannelSchema, **error_responses(404, 412, *NOT_A_BODY)},
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
        parameters=[
            IF_MATCH,
            query("cascade", "Its subscriptions go as well.", enum=["true", "false"]),
        ],
        responses={204: None, **error_responses(404, 409, 412)},
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
