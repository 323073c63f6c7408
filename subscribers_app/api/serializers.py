"""What clients may send."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from rest_framework import serializers

from relaybase.http.fields import Flag, Strict, Text, Whole
from relaycore.delivering import beginning
from relaycore.delivering.beginning import Start
from relaycore.delivering.holding import require_field
from relaycore.delivering.settings import (
    BY_CHANNEL,
    BY_FIELD,
    LARGEST_MOST_OUTSTANDING,
    LEAST_DEADLINE_SECONDS,
    MOST_DEADLINE_SECONDS,
    MOST_DELAY_SECONDS,
    NO_ORDER,
)
from relaycore.errors import BadFilter, BadSubscription
from subscribers_app.kinds import kind as kinds
from subscribers_app.kinds.kind import Kind
from subscribers_app.models import Subscription

MOST_CHANNELS: Final = 100
MOST_IDS: Final = 1000
MOST_DELIVERIES: Final = 1_000_000


class Json(serializers.JSONField):
    """Whatever JSON has; what it has to be is said by who takes it."""

    def to_internal_value(self, data: Any) -> Any:
        """As it is."""
        return data


class Beginning(serializers.Field):  # type: ignore[type-arg]
    """Where a cursor begins."""

    def to_internal_value(self, data: Any) -> Start | None:
        """Validate."""
        try:
            return beginning.parse(data)
        except BadSubscription as exc:
            raise serializers.ValidationError(str(exc)) from exc


class BeginningAgain(Beginning):
    """Where one that was paused goes on. None: where it stands."""

    def to_internal_value(self, data: Any) -> Start | None:
        """Validate."""
        if data == "here":
            return None
        if data == beginning.LATEST or (isinstance(data, Mapping) and set(data) == {beginning.TIME}):
            return super().to_internal_value(data)
        raise serializers.ValidationError('Give "here", "latest" or {"time": "2026-11-21T12:00:00Z"}.')


class Id(Text):
    """The id of a message; as bytes."""

    def to_internal_value(self, data: Any) -> Any:
        """Validate."""
        try:
            id = bytes.fromhex(super().to_internal_value(data))
        except ValueError:
            id = b""
        if len(id) != 12:
            raise serializers.ValidationError("An id has 24 hexadecimal digits.")
        return id


class Moment(Text):
    """A time as ISO 8601 has it."""

    def to_internal_value(self, data: Any) -> Any:
        """Validate."""
        try:
            return beginning.time_of(data)
        except BadSubscription as exc:
            raise serializers.ValidationError(str(exc)) from exc


class Order(serializers.ChoiceField):
    """In which order: one of these, or by a field. As the columns that say so."""

    def to_internal_value(self, data: Any) -> Any:
        """Validate."""
        if not isinstance(data, Mapping):
            return {"order": super().to_internal_value(data), "order_field": ""}
        if set(data) != {"field"}:
            raise serializers.ValidationError('Give "none", "channel" or {"field": "customer"}.')
        try:
            return {"order": BY_FIELD, "order_field": require_field(data["field"])}
        except BadSubscription as exc:
            raise serializers.ValidationError(str(exc)) from exc


class Policy(Json):
    """A filter: an object. What is in it is looked at where the subscription is known."""

    def to_internal_value(self, data: Any) -> Any:
        """Validate."""
        if not isinstance(data, Mapping):
            raise BadFilter('A filter is an object, such as {"kind": ["new"]}.')
        return super().to_internal_value(data)


class _Given(Strict):
    """What was left out is not there: nothing is set that nobody has said."""

    is_new: ClassVar[bool] = False

    filter = Policy(required=False, allow_null=True)
    filter_scope = serializers.ChoiceField(Subscription.Scope.choices, required=False)
    order = Order([NO_ORDER, BY_CHANNEL], required=False)
    delay_seconds = Whole(required=False, min_value=0, max_value=MOST_DELAY_SECONDS)
    ack_deadline_seconds = Whole(
        required=False, min_value=LEAST_DEADLINE_SECONDS, max_value=MOST_DEADLINE_SECONDS
    )
    max_deliveries = Whole(required=False, allow_null=True, min_value=1, max_value=MOST_DELIVERIES)
    max_outstanding = Whole(required=False, min_value=1, max_value=LARGEST_MOST_OUTSTANDING)

    def get_fields(self) -> dict[str, Any]:
        """With those of the kind that is meant."""
        return {**super().get_fields(), **self.kind_meant().fields(is_new=self.is_new)}

    def kind_meant(self) -> Kind:
        """Of which one is made, or is changed; one that there is not is refused where it stands."""
        return kinds.of(Subscription.Kind.PULL)

    def to_internal_value(self, data: Any) -> Any:
        """The order as its columns."""
        given = super().to_internal_value(data)
        return given | given.pop("order", {})


class New(_Given):
    """The body of a POST of subscriptions. `initial` is what the browser's form proposes."""

    is_new = True

    name = Text(trim_whitespace=False, allow_blank=True, initial="billing")
    channel = Text(trim_whitespace=False, allow_blank=True, required=False, initial="orders")
    channels = serializers.ListField(
        child=Text(trim_whitespace=False, allow_blank=True),
        allow_empty=False,
        max_length=MOST_CHANNELS,
        required=False,
    )
    kind = serializers.ChoiceField(Subscription.Kind.choices, default=Subscription.Kind.PULL)
    mode = serializers.ChoiceField(Subscription.Mode.choices, initial=Subscription.Mode.LEASE)
    start = Beginning(initial="earliest")

    def get_fields(self) -> dict[str, Any]:
        """The kinds that there are; and what is pushed has one mode only, which need not be said."""
        fields = super().get_fields()
        names = [kind.name for kind in kinds.every()]
        fields["kind"] = serializers.ChoiceField(names, default=Subscription.Kind.PULL)
        if not self.kind_meant().is_pulled:
            fields["mode"] = serializers.ChoiceField(
                Subscription.Mode.choices, default=Subscription.Mode.LEASE
            )
        return fields

    def kind_meant(self) -> Kind:
        """As the body says; the one that is pulled if it says nothing."""
        data = getattr(self, "initial_data", None)
        said = data.get("kind") if isinstance(data, Mapping) else None
        return next((kind for kind in kinds.every() if kind.name == said), super().kind_meant())

    def get_initial(self) -> dict[str, Any]:
        """The form proposes as little as there must be."""
        shown = ("name", "channel", "mode", "start")
        return {name: value for name, value in super().get_initial().items() if name in shown}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One channel, or several."""
        if ("channel" in attrs) is ("channels" in attrs):
            raise serializers.ValidationError({"channel": ["Give one channel, or a list of channels."]})
        return attrs


class Change(_Given):
    """The body of a PATCH: some of them."""

    def kind_meant(self) -> Kind:
        """That of the subscription."""
        return (
            kinds.of(self.instance.kind) if isinstance(self.instance, Subscription) else super().kind_meant()
        )

    def get_initial(self) -> dict[str, Any]:
        """The form proposes one that each has."""
        return {"delay_seconds": 0}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Not nothing."""
        if not attrs:
            raise serializers.ValidationError(f"Say what to change: {', '.join(self.fields)}.")
        return attrs


class Seek(Strict):
    """The body of a seek."""

    to = Beginning(initial="latest")
    dry_run = Flag(default=False, initial=True)


class Pause(Strict):
    """The body of a pause."""

    reason = Text(required=False, allow_blank=True, max_length=500, default="", initial="")


class Resume(Strict):
    """The body of a resume: from where."""

    locals()["from"] = BeginningAgain(default=None, initial="here")


class Skip(Strict):
    """The body of a skip."""

    id = Id(initial="0" * 24)


class WhichDead(Strict):
    """The body of what is done to dead letters: to these, to those since a time, or to all."""

    ids = serializers.ListField(child=Id(), allow_empty=False, max_length=MOST_IDS, required=False)
    since = Moment(required=False)
    all = Flag(required=False)
    dry_run = Flag(default=False)

    def get_initial(self) -> dict[str, Any]:
        """The form proposes a look at all."""
        return {"all": True, "dry_run": True}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One of the three; `all` only as true."""
        given = [name for name in ("ids", "since", "all") if name in attrs]
        if len(given) != 1 or attrs.get("all") is False:
            raise serializers.ValidationError('Give "ids", "since", or "all": true.')
        return attrs
