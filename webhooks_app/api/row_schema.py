"""What the API shows of endpoints and attempts, in the OpenAPI schema."""

from typing import Any, Final

from rest_framework import serializers

from relaycore.sending.answers import Failure
from webhooks_app.models import Endpoint, EndpointSecret

Serializer = serializers.Serializer[Any]

FAILURES: Final = [failure.value for failure in Failure]


class SecretSchema(Serializer):
    """A secret, of which only what is public is shown."""

    kind = serializers.ChoiceField(EndpointSecret.Kind.choices)
    public = serializers.CharField(allow_null=True, help_text="Of v1a the public key, whpk_….")
    created_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(allow_null=True, help_text="null: it is the one of now.")


class ChallengeSchema(Serializer):
    """When it was asked for its confirmation last."""

    asked_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(help_text="Until then the challenge is good.")
    outcome = serializers.CharField(allow_null=True, help_text="What came of it. null: nothing yet.")


class TlsSchema(Serializer):
    """Whom it has to be signed by, and as whom Relay comes. The key is not shown."""

    ca = serializers.CharField(allow_null=True, help_text="In PEM. null: the authorities of the system.")
    certificate = serializers.CharField(allow_null=True, help_text="In PEM. null: Relay shows none.")
    expires_at = serializers.DateTimeField(allow_null=True, help_text="When that certificate runs out.")


class EndpointSchema(Serializer):
    """An endpoint."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    owner = serializers.CharField(help_text="A user.")
    url = serializers.CharField(help_text="In its normal form.")
    header_names = serializers.ListField(
        child=serializers.CharField(),
        allow_null=True,
        help_text="Of the headers that are sent with each message. null: they cannot be decrypted.",
    )
    signatures = SecretSchema(many=True)
    confirmation = serializers.ChoiceField(Endpoint.Confirmation.choices)
    confirmed_at = serializers.DateTimeField(allow_null=True, help_text="null: this URL is not.")
    challenge = ChallengeSchema(allow_null=True)
    state = serializers.ChoiceField(Endpoint.State.choices)
    reason = serializers.CharField(allow_null=True, help_text="Why it is not active, if that is known.")
    trouble = serializers.CharField(
        allow_null=True, help_text="Why nothing can be sent, whatever its state. null: all of it can be read."
    )
    timeout_seconds = serializers.IntegerField()
    max_concurrency = serializers.IntegerField()
    max_per_second = serializers.FloatField(allow_null=True, help_text="null: as many as it takes.")
    tls = TlsSchema(allow_null=True, help_text="null: the defaults.")
    breaker = serializers.ChoiceField(Endpoint.Breaker.choices)
    breaker_until = serializers.DateTimeField(allow_null=True)
    failing_since = serializers.DateTimeField(
        allow_null=True, help_text="null: the last attempt did not fail."
    )
    last_status = serializers.IntegerField(allow_null=True)
    last_failure = serializers.CharField(allow_null=True)
    last_attempt_at = serializers.DateTimeField(allow_null=True)
    last_success_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    subscriptions = serializers.IntegerField(help_text="So many are sent to it.")
    address = serializers.URLField(help_text="Of this row.")


class SecretsSchema(Serializer):
    """Secrets by kind, shown once."""

    v1 = serializers.CharField(required=False, help_text="whsec_…")
    v1a = serializers.CharField(required=False, help_text="The public key, whpk_….")


class MadeEndpointSchema(EndpointSchema):
    """An endpoint that was just made."""

    secrets = SecretsSchema()


class TestedSchema(Serializer):
    """What came of a test."""

    status = serializers.IntegerField(allow_null=True, help_text="null: there was no answer.")
    failure = serializers.CharField(allow_null=True, help_text="Why not.")
    detail = serializers.CharField(allow_null=True)
    seconds = serializers.FloatField()
    body = serializers.CharField(help_text="The first KiB of it.")


class AttemptSchema(Serializer):
    """One attempt."""

    at = serializers.DateTimeField(help_text="When it began.")
    subscription = serializers.CharField()
    endpoint = serializers.CharField()
    message_id = serializers.CharField()
    position = serializers.CharField()
    attempt = serializers.IntegerField(help_text="Of this message, from 1.")
    webhook_id = serializers.CharField()
    status = serializers.IntegerField(allow_null=True, help_text="null: there was no answer.")
    failure = serializers.ChoiceField(FAILURES, allow_null=True, help_text="Why not.")
    seconds = serializers.FloatField()
    answer = serializers.CharField(
        allow_null=True, help_text="The first KiB of it. null: you may not see the endpoint."
    )
