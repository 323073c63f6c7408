"""What clients may send about endpoints."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from relaybase.http.fields import Strict, Text, Whole
from relaycore.delivering import beginning
from relaycore.delivering.beginning import Start
from relaycore.errors import BadSubscription
from webhooks_app import addresses, keeping, models, trusting
from webhooks_app.models import Endpoint, EndpointSecret

MOST_HEADERS_BYTES = 16 << 10


class Rate(serializers.FloatField):
    """A number; not a text that looks like one."""

    def to_internal_value(self, data: Any) -> float:
        """Validate."""
        if not isinstance(data, int | float) or isinstance(data, bool):
            self.fail("invalid")
        return super().to_internal_value(data)


class Address(serializers.Field):  # type: ignore[type-arg]
    """A URL that something can be sent to, in its normal form. The empty text is looked at, too."""

    def to_internal_value(self, data: Any) -> str:
        """Validate; what is wrong with it is an error of its own kind."""
        if not isinstance(data, str):
            raise serializers.ValidationError("Give a URL, as text.")
        return str(addresses.require(data))


class Headers(serializers.Field):  # type: ignore[type-arg]
    """An object of texts. What may stand in it is looked at by `relaycore.outbound.headers`."""

    def to_internal_value(self, data: Any) -> dict[str, str]:
        """Validate."""
        if not isinstance(data, Mapping) or not all(isinstance(value, str) for value in data.values()):
            raise serializers.ValidationError('Give an object of texts, such as {"Authorization": "…"}.')
        return dict(data)


class Tls(serializers.Field):  # type: ignore[type-arg]
    """An object of texts in PEM. What may stand in it is looked at by `webhooks_app.trusting`."""

    def to_internal_value(self, data: Any) -> dict[str, str]:
        """Validate."""
        if (
            not isinstance(data, Mapping)
            or not set(data) <= set(trusting.PARTS)
            or not all(isinstance(text, str) and len(text) <= trusting.MOST_CHARS for text in data.values())
        ):
            raise serializers.ValidationError(
                'Give null, or an object with "ca", or "certificate" and "key", or all three: texts in PEM, '
                f"of at most {trusting.MOST_CHARS} characters."
            )
        return dict(data)


class FromWhere(serializers.Field):  # type: ignore[type-arg]
    """Where the subscriptions of an endpoint go on. None: where each stands."""

    def to_internal_value(self, data: Any) -> Start | None:
        """Validate."""
        if data == "here":
            return None
        if data == beginning.LATEST or (isinstance(data, Mapping) and set(data) == {beginning.TIME}):
            try:
                return beginning.parse(data)
            except BadSubscription as exc:
                raise serializers.ValidationError(str(exc)) from exc
        raise serializers.ValidationError('Give "here", "latest" or {"time": "2026-11-21T12:00:00Z"}.')


class _Given(Strict):
    """What was left out is not there: nothing is set that nobody has said."""

    headers = Headers(required=False)
    confirmation = serializers.ChoiceField(Endpoint.Confirmation.choices, required=False)
    timeout_seconds = Whole(
        required=False, min_value=models.LEAST_TIMEOUT_SECONDS, max_value=models.MOST_TIMEOUT_SECONDS
    )
    max_concurrency = Whole(required=False, min_value=1, max_value=models.MOST_CONCURRENCY)
    max_per_second = Rate(
        required=False,
        allow_null=True,
        min_value=models.LEAST_PER_SECOND,
        max_value=models.MOST_PER_SECOND,
    )
    tls = Tls(required=False, allow_null=True)


class New(_Given):
    """The body of a POST of endpoints. `initial` is what the browser's form proposes."""

    name = Text(trim_whitespace=False, allow_blank=True, initial="billing")
    url = Address(initial="https://hooks.example.org/relay")
    signatures = serializers.ListField(
        child=serializers.ChoiceField(EndpointSecret.Kind.choices), allow_empty=False, required=False
    )

    def get_initial(self) -> dict[str, Any]:
        """The form proposes as little as there must be."""
        return {name: value for name, value in super().get_initial().items() if name in {"name", "url"}}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Each kind of signature once."""
        kinds = attrs.get("signatures", [keeping.V1])
        if len(set(kinds)) < len(kinds):
            raise serializers.ValidationError({"signatures": ["Each of them once."]})
        return attrs


class Change(_Given):
    """The body of a PATCH: some of them. All headers are replaced."""

    url = Address(required=False)

    def get_initial(self) -> dict[str, Any]:
        """The form proposes one that each has."""
        return {"timeout_seconds": models.TIMEOUT_SECONDS}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Not nothing."""
        if not attrs:
            raise serializers.ValidationError(f"Say what to change: {', '.join(self.fields)}.")
        return attrs


class Rotate(Strict):
    """The body of a rotation."""

    kind = serializers.ChoiceField(EndpointSecret.Kind.choices, required=False)
    overlap_seconds = Whole(
        default=keeping.OVERLAP_SECONDS, min_value=0, max_value=keeping.MOST_OVERLAP_SECONDS
    )


class Confirm(Strict):
    """The body of a confirmation."""

    challenge = Text(max_length=200)


class Enable(Strict):
    """The body that enables: from where."""

    locals()["from"] = FromWhere(default=None, initial="here")


class Disable(Strict):
    """The body that disables."""

    reason = Text(required=False, allow_blank=True, max_length=500, default="", initial="")


class Nothing(Strict):
    """The body of what needs none."""
