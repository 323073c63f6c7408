"""The gaps in the OpenAPI schema."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers

from channels_app.models import Gap
from relaybase.http.openapi import cursor, limit, page, problems, query


class GapSchema(serializers.Serializer):  # type: ignore[type-arg]
    """A window in which nobody heard a partition, or one channel of it."""

    id = serializers.IntegerField()
    partition = serializers.IntegerField()
    channel = serializers.CharField(allow_null=True, help_text="null: every channel of the partition.")
    cause = serializers.ChoiceField(Gap.Cause.choices)
    locals()["from"] = serializers.DateTimeField()  # A word of Python.
    to = serializers.DateTimeField(allow_null=True, help_text="null: it goes on.")
    missed_at_most = serializers.IntegerField(allow_null=True, help_text="null: not known.")
    covered = serializers.BooleanField(help_text="Another listener heard it: nothing is missing.")


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
    responses={200: page("GapPage", GapSchema), **problems()},
)
