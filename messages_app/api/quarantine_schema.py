"""The quarantine in the OpenAPI schema."""

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers

from messages_app.writing.retrying import SENT_AGAIN
from relaybase.http.openapi import cursor, error_responses, limit, page, query


class QuarantinedSchema(serializers.Serializer):  # type: ignore[type-arg]
    """What could not be stored."""

    id = serializers.CharField()
    message_id = serializers.CharField(allow_null=True, help_text="Under which a retry stores it.")
    channel = serializers.CharField(allow_null=True, help_text="null: the entry could not be read at all.")
    reason = serializers.CharField()
    size = serializers.IntegerField(help_text="Bytes of the whole payload; what is kept may be cut.")
    position = serializers.CharField()
    received_at = serializers.DateTimeField(allow_null=True)
    attributes = serializers.DictField(
        child=serializers.CharField(allow_blank=True),
        allow_null=True,
        help_text="What its publisher said of it.",
    )
    content_type = serializers.CharField(allow_null=True)
    produced_by = serializers.CharField(allow_null=True, help_text="null: it was heard.")
    quarantined_at = serializers.DateTimeField()
    acknowledged_at = serializers.DateTimeField(allow_null=True, help_text="null: nobody has.")
    sent_again = serializers.ChoiceField(
        SENT_AGAIN,
        allow_null=True,
        help_text="What has become of it since it was sent again. null: it was not, or was refused since. "
        "lost: by Redis, as it seems; send it once more. gone: stored or discarded meanwhile. unknown: Redis "
        "does not answer.",
    )


class QuarantinedPayloadSchema(QuarantinedSchema):
    """The same with its payload."""

    message = serializers.CharField(allow_blank=True)
    encoding = serializers.ChoiceField(["utf-8", "base64"])


_KEY = OpenApiParameter("key", str, OpenApiParameter.PATH, description="24 hexadecimal digits.")

quarantine = extend_schema(
    operation_id="quarantine",
    summary="What could not be stored",
    tags=["quarantine"],
    parameters=[
        query("channel", "Only of this channel."),
        query(
            "acknowledged", "Only those that somebody knows of, or only the others.", enum=["true", "false"]
        ),
        limit("Entries"),
        cursor(),
    ],
    responses={200: page("QuarantinePage", QuarantinedSchema), **error_responses()},
)
one = extend_schema(
    operation_id="quarantined",
    summary="One message in quarantine",
    tags=["quarantine"],
    parameters=[_KEY],
    responses={200: QuarantinedPayloadSchema, **error_responses(404)},
)
discard = extend_schema(
    operation_id="discard_quarantined",
    summary="Discard a message for ever",
    tags=["quarantine"],
    parameters=[_KEY],
    responses={204: None, **error_responses(403, 404)},
)
acknowledge = extend_schema(
    operation_id="acknowledge_quarantined",
    summary="Say that it is known",
    tags=["quarantine"],
    parameters=[_KEY],
    request=None,
    responses={200: QuarantinedSchema, **error_responses(403, 404)},
)
retry = extend_schema(
    operation_id="retry_quarantined",
    summary="Send it again",
    description="Appended to the stream again, under the key it had; it leaves once it is stored. 409: it is "
    "on its way already, or cannot come back as it was; the detail says why.",
    tags=["quarantine"],
    parameters=[_KEY],
    request=None,
    responses={202: QuarantinedSchema, **error_responses(403, 404, 409)},
)
