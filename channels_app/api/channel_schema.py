"""What a channel looks like in the OpenAPI schema."""

from typing import Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from channels_app.models import Channel
from channels_app.ranges import GapSchema

POLICY: Final = {
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


@extend_schema_field(POLICY)
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


class _Shortened(serializers.Serializer):  # type: ignore[type-arg]
    """What goes when."""

    before = serializers.IntegerField(
        allow_null=True, help_text="Seconds that hold until then. null: for ever."
    )
    deletes_at = serializers.DateTimeField(help_text="Set it back before, and nothing is deleted.")
    messages = serializers.IntegerField(allow_null=True, help_text="That go then. null: not counted.")


class ChannelSchema(serializers.Serializer):  # type: ignore[type-arg]
    """A channel."""

    id = serializers.IntegerField()
    channel = serializers.CharField()
    listen = serializers.BooleanField(help_text="What Redis publishes under this name is heard.")
    subscription_status = serializers.ChoiceField(
        Channel.Status.choices, allow_null=True, help_text="null: nobody is asked to listen."
    )
    deduplicate = _PolicyField()
    retention_seconds = serializers.IntegerField(allow_null=True, help_text="null: kept for ever.")
    shortened = _Shortened(
        allow_null=True,
        help_text="A shorter retention has been set, and deletes nothing yet. null: none has.",
    )
    republish = serializers.BooleanField(
        help_text="What is published by HTTP goes out to Redis' own subscribers too."
    )
    public = serializers.BooleanField(
        help_text="Whoever reaches this server may watch it live, without a token."
    )
    broadcast = serializers.CharField(
        allow_null=True,
        help_text="The Socket.IO event by which it goes to every page, without joining. null: by none.",
    )
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
    watching = serializers.IntegerField(
        allow_null=True, help_text="So many watch it live, a few seconds ago. null: Redis does not answer."
    )
    messages_stored = serializers.IntegerField(allow_null=True, help_text="null: Redis does not answer.")
    last_message_at = serializers.DateTimeField(allow_null=True)
    recent = _Recent(
        allow_null=True,
        help_text="What was stored within the last minute, hour and day. null: Redis does not answer.",
    )
    url = serializers.URLField()
    messages_url = serializers.URLField()
    detail = serializers.CharField(required=False, help_text="Why it is not ACTIVE within ?wait=.")


class _Refused(serializers.Serializer):  # type: ignore[type-arg]
    """A name that was not started."""

    channel = serializers.CharField()
    detail = serializers.CharField()


class StartedSchema(serializers.Serializer):  # type: ignore[type-arg]
    """What became of several channels."""

    started = serializers.ListField(child=serializers.CharField())
    existing = serializers.ListField(child=serializers.CharField(), help_text="They are listened to already.")
    refused = _Refused(many=True)
