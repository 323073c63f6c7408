"""The API as OpenAPI 3.1: what drf-spectacular cannot read off the views."""

from collections.abc import Mapping
from typing import Any, Final

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, inline_serializer
from rest_framework import serializers

from relaybase.http.details import CONTENT_TYPE
from relaybase.http.parameters import MOST_ROWS, ROWS


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """`Authorization: Bearer KEY`."""

    target_class = "access_app.authentication.BearerAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """For the schema."""
        return {"type": "http", "scheme": "bearer"}


class Described(AutoSchema):
    """With what an operation needs: what its view says (`needs`) is what the API goes by."""

    def get_description(self) -> str:  # type: ignore[override]  # As its own class has it.
        """With one more sentence."""
        text, need = super().get_description(), self._need
        if need is None:
            return text
        return (
            f"{text}\n\nA token needs the scope `{need.right}` on the channel, "
            f"and its user the permission `{need.permission}`."
        )

    def get_serializer_name(self, serializer: Any, direction: Any) -> str:
        """A part of a schema is private to its module, and not to who reads the schema."""
        return super().get_serializer_name(serializer, direction).lstrip("_")

    def get_auth(self) -> list[dict[str, Any]]:
        """With the scope. OpenAPI 3.1 has a place for that beside a bearer token as well."""
        ways: list[dict[str, Any]] = super().get_auth()
        if (need := self._need) is None:
            return ways
        return [{BearerScheme.name: [need.right]} if BearerScheme.name in way else way for way in ways]

    @property
    def _need(self) -> Any:
        return getattr(self.view, "needs", {}).get(self.method)


def plain_paths(endpoints: list[Any], **_: Any) -> list[Any]:
    """Only addresses of the API, and without the slash that may stand at their end."""
    return [(path.rstrip("/"), *rest) for path, *rest in endpoints if path.startswith("/api/v1/")]


class ProblemSchema(serializers.Serializer):  # type: ignore[type-arg]
    """Problem details."""

    type = serializers.CharField(help_text="By which programs tell errors apart.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="What is wrong, and what to do.")
    # As a declared field it would hide what every serializer has under this name.
    locals()["errors"] = serializers.JSONField(required=False, help_text="The same by field of the body.")


_DESCRIPTIONS = {
    400: "The request cannot be meant.",
    401: "No valid token, and no session.",
    403: "The token may not do that, or its user.",
    404: "There is no such thing.",
    409: "It is there already, or not as it would have to be.",
    412: "It has been changed meanwhile: the If-Match is none of its tags.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    422: "It would take too long.",
    429: "Too many requests in this minute.",
    503: "A server behind the API does not answer.",
    508: "Webhooks have sent it too often, as in a circle.",
}


def error_responses(*statuses: int) -> dict[Any, Any]:
    """Answers that are errors: these, and those that every address may give."""
    return {
        (status, CONTENT_TYPE): OpenApiResponse(ProblemSchema, _DESCRIPTIONS[status])
        for status in (*statuses, 400, 401, 403, 429, 503)
    }


def query(name: str, text: str, type: Any = str, **more: Any) -> OpenApiParameter:
    """A query parameter."""
    return OpenApiParameter(name, type, OpenApiParameter.QUERY, description=text, **more)


def cursor() -> OpenApiParameter:
    """Where a page begins."""
    return query("cursor", "From a link of another page.")


def limit(rows: str) -> OpenApiParameter:
    """How many rows a page has."""
    return query(
        "limit",
        f"{rows} of a page, {ROWS} if not given.",
        {"type": "integer", "minimum": 1, "maximum": MOST_ROWS},
    )


NOT_A_BODY: Final = (413, 415)
"""What is answered to a body that is none, wherever one is taken."""

IF_MATCH: Final = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description="The ETag of what this is decided by."
)


def body(more: dict[str, Any], **properties: Any) -> dict[str, Any]:
    """A request's body: an object with these members and no others. `more`: what else its schema says."""
    schema = {"type": "object", "properties": properties, "additionalProperties": False, **more}
    return {"application/json": schema}


def without_defaults(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Members of a change: what is left out stays as it is, and tools fill in whatever has a default."""
    return {
        name: {word: said for word, said in schema.items() if word != "default"}
        for name, schema in properties.items()
    }


def page(name: str, row: Any, **more: Any) -> Any:
    """A page of rows."""
    link = serializers.URLField(allow_null=True)
    return inline_serializer(name, {**more, "next": link, "results": row(many=True)})
