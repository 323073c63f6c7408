"""What OpenAPI says of fetching and settling."""

from collections.abc import Callable
from typing import Any, TypeVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers

from messages_app.searching.rows import MessageSchema
from relaybase.http.openapi import error_responses
from relaycore.delivering.settings import (
    LEAST_DEADLINE_SECONDS,
    MOST_DEADLINE_SECONDS,
    MOST_DELAY_SECONDS,
)
from subscribers_app.api import pulling

Serializer = serializers.Serializer[Any]


class DeliverySchema(Serializer):
    """What a leased message comes with."""

    token = serializers.CharField(help_text="For ack, nack and extend. It is opaque.")
    attempt = serializers.IntegerField(help_text="So often the message was handed out, this time included.")
    deadline_at = serializers.DateTimeField(help_text="Until then nobody else is given it.")


class TakenMessageSchema(MessageSchema):
    """A message; in mode "lease" with its delivery."""

    delivery = DeliverySchema(required=False)


class SkippedSchema(Serializer):
    """Messages that nobody was given, since retention had deleted them."""

    locals()["from"] = serializers.CharField(help_text="Above this position,")
    to = serializers.CharField(help_text="up to this one,")
    count = serializers.IntegerField(help_text="at most so many.")


class FetchSchema(Serializer):
    """What to fetch. All of it may be left out."""

    max = serializers.IntegerField(
        min_value=1,
        max_value=pulling.MOST_MESSAGES,
        default=pulling.MESSAGES,
        help_text="Messages. A page may have fewer although there are more.",
    )
    max_bytes = serializers.IntegerField(
        min_value=1,
        max_value=pulling.MOST_BYTES,
        default=pulling.BYTES,
        help_text="Of payloads. One message is given in any case.",
    )
    wait_seconds = serializers.FloatField(min_value=0, max_value=pulling.MOST_WAIT_SECONDS, default=0)


class FetchedSchema(Serializer):
    """What was fetched."""

    messages = TakenMessageSchema(many=True)
    position = serializers.CharField(help_text='To commit, in mode "cursor".')
    generation = serializers.IntegerField(help_text="Another one after each seek.")
    skipped = SkippedSchema(allow_null=True)
    state = serializers.ChoiceField(["active", "paused"])


class CommitSchema(Serializer):
    """What to commit."""

    position = serializers.CharField()
    generation = serializers.IntegerField(required=False)


class CommittedSchema(Serializer):
    """Where the cursor stands."""

    position = serializers.CharField()
    generation = serializers.IntegerField()


class TokensSchema(Serializer):
    """Which messages are meant."""

    tokens = serializers.ListField(
        child=serializers.CharField(), min_length=1, max_length=pulling.MOST_TOKENS
    )


class NackSchema(TokensSchema):
    """Which messages, and until when nobody is given them."""

    delay_seconds = serializers.FloatField(min_value=0, max_value=MOST_DELAY_SECONDS, required=False)


class ExtendSchema(TokensSchema):
    """Which messages, and for how long from now on."""

    seconds = serializers.FloatField(min_value=LEAST_DEADLINE_SECONDS, max_value=MOST_DEADLINE_SECONDS)


class ResultSchema(Serializer):
    """What became of one token."""

    token = serializers.CharField()
    ok = serializers.BooleanField()
    error = serializers.CharField(allow_null=True)


class ResultsSchema(Serializer):
    """What became of each token, in their order."""

    results = ResultSchema(many=True)


F = TypeVar("F", bound=Callable[..., Any])


def _action(verb: str, summary: str, asked: type[Serializer], answered: type[Serializer]) -> Callable[[F], F]:
    return extend_schema(
        operation_id=f"subscription_{verb}",
        summary=summary,
        tags=["subscriptions"],
        request=asked,
        responses={200: answered, **error_responses(400, 401, 403, 404, 409, 413, 415, 429, 503)},
    )


fetch = _action("fetch", "Fetch messages", FetchSchema, FetchedSchema)
commit = _action("commit", "Everything up to a position is done", CommitSchema, CommittedSchema)
ack = _action("ack", "Messages are done", TokensSchema, ResultsSchema)
nack = _action("nack", "Messages are given back", NackSchema, ResultsSchema)
extend = _action("extend", "Messages are needed for longer", ExtendSchema, ResultsSchema)
