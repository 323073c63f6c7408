"""Endpoints in the OpenAPI schema."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema, inline_serializer
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
from subscribers_app.models import NAME_PATTERN
from webhooks_app import keeping, models, trusting
from webhooks_app.api.row_schema import (
    AttemptSchema,
    EndpointSchema,
    MadeEndpointSchema,
    SecretsSchema,
    TestedSchema,
)
from webhooks_app.models import Endpoint, EndpointSecret

F = TypeVar("F", bound=Callable[..., Any])

_KINDS: Final = EndpointSecret.Kind.values

_SETTINGS: Final = {
    "url": {"type": "string", "maxLength": models.MOST_URL_CHARS, "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://"},
    "headers": {"type": "object", "additionalProperties": {"type": "string"}},
    "confirmation": {"type": "string", "enum": Endpoint.Confirmation.values},
    "timeout_seconds": {
        "type": "integer",
        "minimum": models.LEAST_TIMEOUT_SECONDS,
        "maximum": models.MOST_TIMEOUT_SECONDS,
        "default": models.TIMEOUT_SECONDS,
    },
    "max_concurrency": {
        "type": "integer",
        "minimum": 1,
        "maximum": models.MOST_CONCURRENCY,
        "default": models.CONCURRENCY,
    },
    "max_per_second": {
        "type": ["number", "null"],
        "minimum": models.LEAST_PER_SECOND,
        "maximum": models.MOST_PER_SECOND,
    },
    "tls": {
        "type": ["object", "null"],
        "properties": {name: {"type": "string", "maxLength": trusting.MOST_CHARS} for name in trusting.PARTS},
        "additionalProperties": False,
        "description": "In PEM: whom it has to be signed by, and as whom Relay comes. null: the defaults.",
    },
}


_NAME: Final = OpenApiParameter("name", str, OpenApiParameter.PATH)


def _extend(operation_id: str, summary: str, answer: Any, *errors: int, **more: Any) -> Callable[[F], F]:
    success = more.pop("success", 200)
    return extend_schema(
        operation_id=operation_id,
        summary=summary,
        tags=["endpoints"],
        parameters=[*more.pop("parameters", [_NAME])],
        responses={success: answer, **error_responses(*errors)},
        **more,
    )


endpoints = _extend(
    "endpoints",
    "All endpoints",
    page("EndpointPage", EndpointSchema, count=serializers.IntegerField()),
    parameters=[
        query("state", "Only these.", enum=Endpoint.State.values),
        query("search", "A part of the name."),
        limit("Rows"),
        cursor(),
    ],
)
new_endpoint = _extend(
    "new_endpoint",
    "Make an endpoint",
    MadeEndpointSchema,
    *(409, *NOT_A_BODY),
    success=201,
    parameters=[],
    request=body(
        {"required": ["name", "url"]},
        name={"type": "string", "pattern": f"^{NAME_PATTERN}$"},
        signatures={
            "type": "array",
            "items": {"type": "string", "enum": _KINDS},
            "minItems": 1,
            "uniqueItems": True,
            "default": [keeping.V1],
        },
        **_SETTINGS,
    ),
    examples=[
        OpenApiExample(
            "Signed by a shared secret",
            {"name": "billing", "url": "https://hooks.example.org/relay"},
            request_only=True,
        )
    ],
)
endpoint = _extend("endpoint", "One endpoint", EndpointSchema, 404)
change_endpoint = _extend(
    "change_endpoint",
    "Change where webhooks go, and how",
    EndpointSchema,
    *(404, 409, 412, *NOT_A_BODY),
    parameters=[_NAME, IF_MATCH],
    request=body({"minProperties": 1}, **without_defaults(_SETTINGS)),
)
delete_endpoint = _extend(
    "delete_endpoint",
    "Delete an endpoint",
    None,
    *(404, 409, 412),
    success=204,
    parameters=[
        _NAME,
        IF_MATCH,
        query("cascade", "Its subscriptions as well.", enum=["true", "false"]),
    ],
)
rotate = _extend(
    "rotate_endpoint",
    "Give it other secrets",
    inline_serializer("Rotated", {"secrets": SecretsSchema()}),
    *(404, *NOT_A_BODY),
    request=body(
        {},
        kind={"type": "string", "enum": _KINDS},
        overlap_seconds={
            "type": "integer",
            "minimum": 0,
            "maximum": keeping.MOST_OVERLAP_SECONDS,
            "default": keeping.OVERLAP_SECONDS,
        },
    ),
)
confirm = _extend(
    "confirm_endpoint",
    "Confirm it by its challenge",
    EndpointSchema,
    *(404, *NOT_A_BODY),
    request=body({"required": ["challenge"]}, challenge={"type": "string", "maxLength": 200}),
)
challenge = _extend(
    "challenge_endpoint",
    "Have it asked for its confirmation again",
    EndpointSchema,
    *(404, 409, *NOT_A_BODY),
    request=body({}),
)
test = _extend(
    "test_endpoint", "Send it a message now", TestedSchema, *(404, 409, *NOT_A_BODY), request=body({})
)
enable = _extend(
    "enable_endpoint",
    "Send to it again",
    EndpointSchema,
    *(404, *NOT_A_BODY),
    request=body(
        {},
        **{
            "from": {
                "oneOf": [
                    {"type": "string", "enum": ["here", "latest"]},
                    {
                        "type": "object",
                        "properties": {"time": {"type": "string", "format": "date-time"}},
                        "required": ["time"],
                        "additionalProperties": False,
                    },
                ]
            }
        },
    ),
)
disable = _extend(
    "disable_endpoint",
    "Send nothing to it",
    EndpointSchema,
    *(404, *NOT_A_BODY),
    request=body({}, reason={"type": "string", "maxLength": 500}),
)
_OF: Final = (
    query("message", "Only of this message, by its id.", pattern="^[0-9a-fA-F]{24}$"),
    query("batch", "Only of this batch, by its webhook_id.", pattern="^[0-9a-fA-F]{24}$"),
)
_ATTEMPTS: Final = page("AttemptPage", AttemptSchema)
endpoint_attempts = _extend(
    "endpoint_attempts",
    "What became of attempts",
    _ATTEMPTS,
    404,
    parameters=[_NAME, *_OF, limit("Rows"), cursor()],
)
subscription_attempts = _extend(
    "subscription_attempts",
    "What became of attempts, of one subscription",
    _ATTEMPTS,
    404,
    parameters=[_NAME, *_OF, limit("Rows"), cursor()],
)
