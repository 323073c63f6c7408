"""Those who watch, in the OpenAPI schema."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from live.asking import MOST_CHANNELS, MOST_WAIT_SECONDS
from live.sse.frames import FORMS
from messages_app.searching.rows import MessageSchema
from relaybase.http.openapi import error_responses, query
from relaycore.filtering.policy import SCOPES

F = TypeVar("F", bound=Callable[..., Any])


class PollSchema(serializers.Serializer):  # type: ignore[type-arg]
    """One answer of a long poll."""

    messages = MessageSchema(many=True)
    id = serializers.CharField(help_text="Send it as last_event_id the next time.")
    events = serializers.ListField(
        child=serializers.DictField(), help_text="gap, stream-reset, caught-up: by the name `event`."
    )


_CHANNEL: Final = query(
    "channel",
    "A channel to watch; given again for each.",
    {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": MOST_CHANNELS},
    required=True,
    explode=True,
)
_PARAMETERS: Final = (
    query("last_event_id", "What follows this id; the header counts before it. Or: earliest."),
    OpenApiParameter(
        "Last-Event-ID", str, OpenApiParameter.HEADER, description="As browsers send it when they come again."
    ),
    query("since", 'A time, or "earliest". Without: what comes from now on.'),
    query("filter", "As SNS filter policies are, in JSON."),
    query("filter_scope", "What the filter is about: body, if not given.", enum=list(SCOPES)),
    query("limit", "So many messages, then the end. Of a long poll: so many at most.", int),
    query("format", "raw: the payload alone.", enum=list(FORMS)),
    query("ticket", "Of a browser, which can send no header."),
    query(
        "wait_seconds",
        "With Accept: application/json: so long the answer waits for the first message.",
        {"type": "number", "minimum": 0, "maximum": MOST_WAIT_SECONDS},
    ),
)


def _described(id: str, *more: OpenApiParameter) -> Callable[[F], F]:
    return extend_schema(
        operation_id=id,
        tags=["live"],
        parameters=[*more, *_PARAMETERS],
        responses={
            (200, "text/event-stream"): OpenApiTypes.STR,
            (200, "application/json"): PollSchema,
            204: OpenApiResponse(description="It has had as many messages as `limit` says."),
            **error_responses(404),
        },
    )


class TicketSchema(serializers.Serializer):  # type: ignore[type-arg]
    """A ticket."""

    ticket = serializers.CharField(help_text="Shown now or never.")
    expires_at = serializers.DateTimeField()


ticket: Final = extend_schema(
    operation_id="live_ticket", tags=["live"], responses={201: TicketSchema, **error_responses(400, 404)}
)

live: Final = _described("live", _CHANNEL)
live_channel: Final = _described("live_channel")
