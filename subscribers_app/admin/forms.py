"""The forms of a subscription: how it is set, and where its cursor is to go."""

from typing import Any, ClassVar, Final

from django import forms
from django.core.exceptions import ValidationError

from relaycore.delivering import beginning
from relaycore.delivering.beginning import Start
from relaycore.delivering.settings import BY_CHANNEL, NO_ORDER
from relaycore.errors import BadFilter, BadSubscription
from subscribers_app import filters, ordering
from subscribers_app.models import Subscription
from subscribers_app.registration import LEASE_ONLY, SETTINGS

_PLACES: Final = (
    (beginning.EARLIEST, "earliest: the first message that is stored"),
    (beginning.LATEST, "latest: what comes from now on"),
    (beginning.TIME, "what was put on the stream from this time on (UTC):"),
    (beginning.POSITION, "what stands above this position:"),
)


class _PlaceWidget(forms.MultiWidget):
    """Four radio buttons, and beside them a time or a position."""

    def __init__(self) -> None:
        value = forms.TextInput({"aria-label": "time or position", "placeholder": "2026-11-21T12:00:00Z"})
        super().__init__([forms.RadioSelect(choices=_PLACES), value])

    def decompress(self, value: Any) -> list[Any]:
        """As they are shown."""
        return [value, ""]


class PlaceField(forms.MultiValueField):
    """Where a cursor begins; as `Start`."""

    widget = _PlaceWidget

    def __init__(self, **options: Any) -> None:
        parts = (forms.ChoiceField(choices=_PLACES), forms.CharField(required=False))
        super().__init__(parts, require_all_fields=False, **options)

    def compress(self, data_list: list[Any]) -> Start | None:
        """As it is meant."""
        kind, value = data_list or ("", "")
        try:
            return beginning.parse({kind: value} if kind in {beginning.TIME, beginning.POSITION} else kind)
        except BadSubscription as exc:
            raise ValidationError(str(exc)) from exc


class SeekForm(forms.Form):
    """Where the cursors of some subscriptions are to go."""

    to = PlaceField(label="Go on from", initial=beginning.LATEST)


class _FilterField(forms.JSONField):
    """None is shown as nothing, as it is given."""

    def prepare_value(self, value: Any) -> Any:
        """As it is shown."""
        return "" if value is None else super().prepare_value(value)


class SubscriptionForm(forms.ModelForm):  # type: ignore[type-arg]
    """A subscription's settings. `wanted`: what is to be set, by column; `tags`: what was seen."""

    start = PlaceField(label="Begins at", initial=beginning.EARLIEST)
    seen = forms.CharField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Subscription
        fields: ClassVar[list[str]] = ["name", "channel", "mode", *SETTINGS]
        field_classes: ClassVar[dict[str, Any]] = {"filter": _FilterField}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            del self.fields["start"]
            if "order" in self.fields:
                self.fields["order"].choices = [(one, one) for one in (NO_ORDER, BY_CHANNEL)]  # type: ignore[attr-defined]
            self.initial["seen"] = self.instance.tag

    @property
    def wanted(self) -> Any:
        """What somebody has said here: in a new one all that is not as it would be anyway."""
        columns = [column for column in SETTINGS if column in self.fields]
        if self.instance.pk is not None:
            columns = [column for column in columns if column in self.changed_data]
        else:
            fresh = Subscription()
            columns = [column for column in columns if self.cleaned_data[column] != getattr(fresh, column)]
        return {column: self.cleaned_data[column] for column in columns}

    @property
    def tags(self) -> list[str]:
        """That of the settings which the page showed."""
        return [self.cleaned_data.get("seen", "")]

    def clean(self) -> dict[str, Any]:
        """It has to be something that can be meant."""
        cleaned: dict[str, Any] = super().clean() or {}
        if self.errors:
            return cleaned
        mode = cleaned.get("mode") or self.instance.mode
        if mode == Subscription.Mode.CURSOR:
            for column in self.wanted.keys() & set(LEASE_ONLY):
                self.add_error(column, 'Only in the mode "lease". Leave it as it was.')
        if "order_field" in self.fields:
            try:
                ordering.check(Subscription(order=cleaned["order"], order_field=cleaned["order_field"]))
            except BadSubscription as exc:
                self.add_error("order_field", str(exc))
        if "filter" in self.fields:
            try:
                filters.check(cleaned["filter"], cleaned["filter_scope"])
            except BadFilter as exc:
                self.add_error("filter", str(exc))
        return cleaned
