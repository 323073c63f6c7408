"""The messages in the OpenAPI schema."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers

from channels_app import ranges
from messages_app.api.asked import MOST_CHARACTERS
from messages_app.searching.files import FORMATS
from messages_app.searching.rows import MessageSchema
from relaybase.http.openapi import cursor, error_responses, limit, page, query

_ID = "5f2b9c1e8d7a6b5c4d3e2f10"


class ExpiredSchema(serializers.Serializer):  # type: ignore[type-arg]
    """What was deleted of a channel, since it keeps messages no longer."""

    upto = serializers.CharField(help_text="What stood up to this position may be deleted.")
    messages = serializers.IntegerField(help_text="So many of the channel were, in all.")


_EXAMPLE = OpenApiExample(
    "A message",
    {
        "id": _ID,
        "channel": "orders",
        "message": "hello",
        "encoding": "utf-8",
        "received_at": "2026-11-21T12:00:00.123000Z",
        "position": "1795262400125-0000000000-00000",
        "attributes": {"kind": "new"},
        "content_type": "text/plain",
        "produced_by": "billing",
    },
    response_only=True,
    status_codes=["200"],
)
_CHANNEL = query("channel", "Which channel.", required=True)
_TEXT = {"type": "string", "minLength": 1, "maxLength": MOST_CHARACTERS}
_SEARCH = [
    query(
        "since", "From this time on, by Redis's clock when it was put on the stream.", OpenApiTypes.DATETIME
    ),
    query("until", "Before this time.", OpenApiTypes.DATETIME),
    query("contains", "A part of the text, as it is written.", _TEXT),
    query("order", "Newest first (desc, if not given) or oldest first.", enum=["desc", "asc"]),
]

messages = extend_schema(
    operation_id="messages",
    summary="The messages of a channel, page by page",
    tags=["messages"],
    parameters=[
        _CHANNEL,
        *_SEARCH,
        limit("Messages"),
        cursor(),
    ],
    responses={
        200: page(
            "MessagePage",
            MessageSchema,
            **ranges.SCHEMA,
            expired=ExpiredSchema(allow_null=True, help_text="null: nothing in the range of this page."),
            watermark=serializers.CharField(
                allow_null=True,
                help_text="Below this position nothing is missing. null: Redis is away, no cursor leads on.",
            ),
            previous=serializers.URLField(allow_null=True),
        ),
        **error_responses(404, 422),
    },
)
message = extend_schema(
    operation_id="message",
    summary="One message",
    tags=["messages"],
    parameters=[OpenApiParameter("key", str, OpenApiParameter.PATH, description="24 hexadecimal digits.")],
    examples=[_EXAMPLE],
    responses={200: MessageSchema, **error_responses(404)},
)
_SPREADSHEET = query(
    "spreadsheet",
    "With format=csv: a ' before each cell that a spreadsheet would take for a formula. Else cells are as "
    "they are.",
    enum=["true", "false"],
)
export = extend_schema(
    operation_id="export",
    summary="All messages of a channel, as one stream",
    tags=["messages"],
    parameters=[
        _CHANNEL,
        *_SEARCH,
        query("format", "ndjson if not given.", enum=list(FORMATS)),
        _SPREADSHEET,
    ],
    responses={
        (200, "application/x-ndjson"): OpenApiTypes.STR,
        (200, "text/csv"): OpenApiTypes.STR,
        **error_responses(404),
    },
)


class PublishedMessageSchema(serializers.Serializer):  # type: ignore[type-arg]
    """A message to publish."""

    message = serializers.CharField(allow_blank=True)
    id = serializers.CharField(
        required=False, help_text="Under the policy every: sent again with the same id it is stored once."
    )
    encoding = serializers.CharField(
        required=False, help_text="base64: the message is bytes, written in base64."
    )
    attributes = serializers.DictField(child=serializers.CharField(), required=False)
    content_type = serializers.CharField(required=False)


class StoredSchema(serializers.Serializer):  # type: ignore[type-arg]
    """What was published and is stored."""

    ids = serializers.ListField(child=serializers.CharField())
    positions = serializers.ListField(
        child=serializers.CharField(allow_null=True), help_text="null: not stored, it is in quarantine."
    )
    duplicates = serializers.ListField(
        child=serializers.IntegerField(),
        help_text="Which of them, from 0, were stored before: with the body that they had then.",
    )


class PublishedSchema(serializers.Serializer):  # type: ignore[type-arg]
    """What was published."""

    ids = serializers.ListField(
        child=serializers.CharField(), help_text="Of the messages, in the order in which they were sent."
    )


publish = extend_schema(
    operation_id="publish",
    summary="Publish messages on a channel",
    tags=["messages"],
    parameters=[
        OpenApiParameter(
            "name", str, OpenApiParameter.PATH, description="The channel; slashes in it as `%2F`."
        ),
        query(
            "confirm",
            "stored: answer once everything is stored, with 201; after 10 s with 202. replicated: once a "
            "replica of Redis has it too.",
            enum=["stored", "replicated"],
        ),
        OpenApiParameter(
            "Idempotency-Key",
            str,
            OpenApiParameter.HEADER,
            description="Under the policy every: the request may be sent again, and is stored once.",
        ),
    ],
    request={
        "application/json": PublishedMessageSchema,
        "application/x-ndjson": OpenApiTypes.STR,
        "text/plain": OpenApiTypes.STR,
        "application/octet-stream": OpenApiTypes.BINARY,
    },
    responses={201: StoredSchema, 202: PublishedSchema, **error_responses(403, 404, 413, 415, 508)},
)
