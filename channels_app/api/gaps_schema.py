"""The gaps in the OpenAPI schema."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema

from channels_app.ranges import GapSchema
from relaybase.http.openapi import cursor, error_responses, limit, page, query

gaps = extend_schema(
    operation_id="gaps",
    summary="When a channel was not heard",
    tags=["channels"],
    parameters=[
        query("channel", "What touched this channel: its own gaps, and those of its partition."),
        query("partition", "Only this partition, its own gaps and those of its channels.", int),
        query("since", "What goes on at this time or later.", OpenApiTypes.DATETIME),
        query("until", "What has begun before this time.", OpenApiTypes.DATETIME),
        query("open", "Only what goes on, or only what is over.", enum=["true", "false"]),
        limit("Gaps"),
        cursor(),
    ],
    responses={200: page("GapPage", GapSchema), **error_responses(404)},
)
