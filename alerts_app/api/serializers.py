"""What clients may send about rules and alerts."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from alerts_app import trying
from alerts_app.models import MOST_NOTE_CHARS, Rule
from relaybase.http.fields import Strict, Text, Whole
from relaycore.delivering import beginning
from relaycore.delivering.beginning import Start
from relaycore.errors import BadRule, BadSubscription

_HERE = "here"


class Settings(serializers.JSONField):
    """What a rule is set to: an object. What is in it is looked at where the kind is known."""

    def to_internal_value(self, data: Any) -> Any:
        """Validate."""
        if not isinstance(data, Mapping):
            raise BadRule("settings: Give an object. docs/alerts.md says what each kind takes.")
        return dict(data)


class Moment(Text):
    """A time as ISO 8601 has it."""

    def to_internal_value(self, data: Any) -> Any:
        """Validate."""
        try:
            return beginning.time_of(data)
        except BadSubscription as exc:
            raise serializers.ValidationError(str(exc)) from exc


class Beginning(serializers.Field):  # type: ignore[type-arg]
    """Where a rule begins to read."""

    def to_internal_value(self, data: Any) -> Start | None:
        """Validate."""
        try:
            return beginning.parse(data)
        except BadSubscription as exc:
            raise serializers.ValidationError(str(exc)) from exc


class BeginningAgain(Beginning):
    """Where one goes on that is enabled. None: where it stands."""

    def to_internal_value(self, data: Any) -> Start | None:
        """Validate."""
        return None if data == _HERE else super().to_internal_value(data)


class New(Strict):
    """The body of a POST of rules. `initial` is what the browser's form proposes."""

    name = Text(trim_whitespace=False, allow_blank=True, initial="by-location")
    channel = Text(trim_whitespace=False, allow_blank=True, initial="alerts")
    to = Text(trim_whitespace=False, allow_blank=True, initial="alerts.events")
    kind = serializers.ChoiceField(Rule.Kind.choices, initial=Rule.Kind.WINDOW)
    settings = Settings(initial={"key": ["location"], "start": "receipt", "duration": {"seconds": 300}})
    start = Beginning(initial="latest")


class Change(Strict):
    """The body of a PATCH: the settings, all of them."""

    settings = Settings(initial={"key": ["location"], "start": "receipt", "duration": {"seconds": 300}})


class Enable(Strict):
    """The body that enables: from where."""

    locals()["from"] = BeginningAgain(default=None, initial=_HERE)


class Disable(Strict):
    """The body that disables."""

    reason = Text(required=False, allow_blank=True, max_length=500, default="", initial="")


class _Trial(Strict):
    """Of what, and how much of it is shown."""

    since = Moment(required=False)
    until = Moment(required=False)
    limit = Whole(required=False, min_value=1, max_value=trying.MOST_SHOWN, default=100)


class Trial(_Trial):
    """The body of a back-test of a rule; `settings`: as it might be set."""

    settings = Settings(required=False)


class NewTrial(_Trial):
    """The body of a back-test of a rule that there is not."""

    channel = Text(trim_whitespace=False, allow_blank=True, initial="alerts")
    kind = serializers.ChoiceField(Rule.Kind.choices, initial=Rule.Kind.WINDOW)
    settings = Settings(initial={"key": ["location"], "start": "receipt", "duration": {"seconds": 300}})


class Acknowledge(Strict):
    """The body of an acknowledgement."""

    note = Text(required=False, allow_blank=True, max_length=MOST_NOTE_CHARS, default="", initial="")


class Assign(Strict):
    """The body of an assignment. An empty `to`: it is nobody's."""

    to = Text(allow_blank=True, max_length=150)


class Write(Strict):
    """The body of a note."""

    text = Text(max_length=MOST_NOTE_CHARS)


class Nothing(Strict):
    """The body of what needs none."""
