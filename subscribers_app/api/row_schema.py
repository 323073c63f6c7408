"""What answers about subscriptions look like, for the OpenAPI schema."""

from typing import Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from relaycore.delivering.settings import BY_CHANNEL, NO_ORDER
from relaycore.policy import MAX_FIELD_LENGTH
from subscribers_app.activity import ACK, COMMIT, NACK
from subscribers_app.kinds import kind as kinds
from subscribers_app.models import Subscription, Undelivered

STATES: Final = ["pending", "active", "paused", "disabled"]
"""Of a subscription, and of the endpoint that one is pushed to."""

Serializer = serializers.Serializer[Any]


class SizeSchema(Serializer):
    """How far a subscription is behind."""

    messages = serializers.IntegerField()
    exact = serializers.BooleanField(help_text="false: there may be more, or with a filter fewer.")
    age_seconds = serializers.FloatField(allow_null=True, help_text="Of the oldest one. null: there is none.")


class RatesSchema(Serializer):
    """Messages a second, counted by web processes: the minute that goes on, and the one before."""

    seconds = serializers.FloatField(help_text="Over so long a time, 60 to 120.")
    handed_out = serializers.FloatField(help_text="Each time that one is.")
    done = serializers.FloatField(
        allow_null=True, help_text="null: somebody has committed what another process handed out."
    )
    nacked = serializers.FloatField(help_text="Those that were given back.")


class AnswerSchema(Serializer):
    """What a reader said of messages last."""

    answer = serializers.ChoiceField([ACK, NACK, COMMIT])
    at = serializers.DateTimeField()


@extend_schema_field({"type": ["object", "null"], "description": "null: every message."})
class _FilterField(serializers.JSONField):
    """Which messages it gets."""


ORDER: Final = {
    "oneOf": [
        {"type": "string", "enum": [NO_ORDER, BY_CHANNEL]},
        {
            "type": "object",
            "properties": {"field": {"type": "string", "minLength": 1, "maxLength": MAX_FIELD_LENGTH}},
            "required": ["field"],
            "additionalProperties": False,
        },
    ]
}


@extend_schema_field({**ORDER, "oneOf": [*ORDER["oneOf"], {"type": "null"}]})
class _OrderField(serializers.JSONField):
    """In which order its messages are leased."""


class SubscriptionSchema(Serializer):
    """A subscription."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    channel = serializers.CharField()
    kind = serializers.ChoiceField(Subscription.Kind.choices)
    mode = serializers.ChoiceField(Subscription.Mode.choices)
    state = serializers.ChoiceField(STATES, help_text="The first and the last are those of its endpoint.")
    reason = serializers.CharField(allow_null=True, help_text="Why it is not active, if that is known.")
    filter = _FilterField()
    filter_scope = serializers.ChoiceField(Subscription.Scope.choices)
    order = _OrderField()
    delay_seconds = serializers.IntegerField()
    ack_deadline_seconds = serializers.IntegerField(allow_null=True, help_text='null in mode "cursor".')
    max_deliveries = serializers.IntegerField(allow_null=True, help_text="null: as often as it takes.")
    max_outstanding = serializers.IntegerField(allow_null=True, help_text='null in mode "cursor".')
    position = serializers.CharField(help_text="Everything up to here is done, on its way, or dead.")
    lag = SizeSchema(allow_null=True, help_text="What is not done yet. null: it is not known now.")
    rates = RatesSchema(allow_null=True, help_text="How many messages go out. null: it was just deleted.")
    last_fetch_at = serializers.DateTimeField(allow_null=True, help_text="When somebody asked for messages.")
    last_handed_out_at = serializers.DateTimeField(allow_null=True, help_text="When somebody was given one.")
    last_answer = AnswerSchema(allow_null=True, help_text="null: no reader has said anything yet.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    url = serializers.URLField()
    channel_url = serializers.URLField()

    def get_fields(self) -> dict[str, Any]:
        """With those that only one kind has."""
        return {**super().get_fields(), **kinds.row_fields()}


class SubscriptionsSchema(Serializer):
    """One for each channel."""

    results = SubscriptionSchema(many=True)


class DeadLetterSchema(Serializer):
    """A dead letter."""

    id = serializers.CharField(help_text="Of the message.")
    position = serializers.CharField()
    attempts = serializers.IntegerField()
    why = serializers.CharField()
    died_at = serializers.DateTimeField()
    expired = serializers.BooleanField(help_text="The message is gone: it cannot be handed out again.")


class ParkedSchema(Serializer):
    """A value whose message fails."""

    key = serializers.CharField(help_text="The hash of the value.")
    since = serializers.DateTimeField(help_text="The message was handed out first.")
    waiting = serializers.IntegerField(help_text="So many wait behind it, at most.")
    id = serializers.CharField(help_text="Of the message.")
    position = serializers.CharField()
    state = serializers.CharField(help_text="leased: a worker has it. waiting: it was given back.")
    attempts = serializers.IntegerField()
    again_at = serializers.DateTimeField(help_text="It is handed out again from then on.")


class UndeliveredSchema(Serializer):
    """What ended undelivered."""

    at = serializers.DateTimeField()
    cause = serializers.ChoiceField([*Undelivered.Cause.choices, ("dead", "handed out too often")])
    why = serializers.CharField(allow_null=True, help_text="What a dead letter died of.")
    after = serializers.CharField(allow_null=True, help_text="Above this position; null: one message")
    upto = serializers.CharField(help_text="up to this one.")
    messages = serializers.IntegerField(allow_null=True, help_text="At most so many. null: it is not known.")
