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
from subscribers_app.api.said import MOST_TOKENS

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


def _tokens(**options: Any) -> serializers.ListField:
    return serializers.ListField(
        child=serializers.CharField(), min_length=1, max_length=MOST_TOKENS, **options
    )


class FetchSchema(Serializer):
    """What to fetch, and what is done of what was fetched before. All of it may be left out."""

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
    wait_seconds = serializers.FloatField(
        min_value=0,
        max_value=pulling.MOST_WAIT_SECONDS,
        default=0,
        help_text="So long it may take until there is something.",
    )
    commit = serializers.CharField(
        required=False,
        help_text='Mode "cursor": everything up to this position is done. It holds first; where commit would '
        "be refused it is 409, and nothing is fetched.",
    )
    generation = serializers.IntegerField(required=False, help_text="With commit, as fetch has answered it.")
    ack = _tokens(required=False, help_text='Mode "lease": these are done. It holds first.')
    nack = _tokens(required=False, help_text='Mode "lease": these are given back, as nack does it.')


class ResultSchema(Serializer):
    """What became of one token."""

    token = serializers.CharField()
    ok = serializers.BooleanField()
    error = serializers.CharField(allow_null=True, help_text="Why not, for people.")


class FetchedSchema(Serializer):
    """What was fetched."""

    messages = TakenMessageSchema(many=True)
    position = serializers.CharField(help_text='To commit, in mode "cursor".')
    generation = serializers.IntegerField(
        help_text='Another one after each seek, and in mode "cursor" after another filter.'
    )
    skipped = SkippedSchema(allow_null=True, help_text="Told once. null: nothing new was skipped.")
    state = serializers.ChoiceField(["active", "paused"])
    settled = ResultSchema(
        many=True, required=False, help_text="What became of the tokens of ack, then of those of nack."
    )


class CommitSchema(Serializer):
    """What to commit."""

    position = serializers.CharField(help_text="As fetch has answered it, or that of one of its messages.")
    generation = serializers.IntegerField(
        required=False, help_text="As fetch has answered it. It may be left out until it is no longer 1."
    )


class CommittedSchema(Serializer):
    """Where the cursor stands."""

    position = serializers.CharField()
    generation = serializers.IntegerField()


class TokensSchema(Serializer):
    """Which messages are meant."""

    tokens = _tokens()


class NackSchema(TokensSchema):
    """Which messages, and until when nobody is given them."""

    delay_seconds = serializers.FloatField(
        min_value=0,
        max_value=MOST_DELAY_SECONDS,
        required=False,
        help_text="Left out: 1 s, doubling with each attempt up to 10 minutes.",
    )


class ExtendSchema(TokensSchema):
    """Which messages, and for how long from now on."""

    seconds = serializers.FloatField(min_value=LEAST_DEADLINE_SECONDS, max_value=MOST_DEADLINE_SECONDS)


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
