"""The forms of a subscription: how it is set, and what is decided about it."""

from typing import Any, ClassVar, Final

from django import forms
from django.core.exceptions import ValidationError

from relaybase.pages.places import AGAIN, HERE, PlaceField
from relaycore.delivering import beginning
from relaycore.delivering.settings import BY_CHANNEL, NO_ORDER
from relaycore.errors import BadFilter, BadSubscription
from relaycore.sending.batches import setting
from relaycore.sending.batches.setting import BATCH_MESSAGES, LARGEST_BATCH_MESSAGES
from subscribers_app import filters, ordering
from subscribers_app.kinds.checking import LEASE_ONLY, NOT_PUSHED
from subscribers_app.models import Subscription
from subscribers_app.registration import SETTINGS
from webhooks_app.models import Endpoint, Webhook

_MOMENT: Final = {"type": "datetime-local", "step": "1"}


class PauseForm(forms.Form):
    """Why it is paused."""

    reason = forms.CharField(
        required=False, max_length=500, label="Reason", help_text="Others see it. It may be empty."
    )


class ResumeForm(forms.Form):
    """From where it goes on."""

    to = PlaceField(AGAIN, label="Go on from", initial=HERE)


class SeekForm(forms.Form):
    """Where the cursors of some subscriptions are to go."""

    to = PlaceField(label="Go on from", initial=beginning.LATEST)


class _IdsField(forms.Field):
    """Ids of messages; as bytes."""

    widget = forms.MultipleHiddenInput

    def to_python(self, value: Any) -> list[bytes]:
        """As they are meant."""
        try:
            ids = [bytes.fromhex(one) for one in value or ()]
        except ValueError:
            ids = [b""]
        if any(len(id) != 12 for id in ids):
            raise ValidationError("An id has 24 hexadecimal digits.")
        return ids


class _MomentField(forms.Field):
    """A time as ISO 8601 has it, in UTC if it does not say."""

    def to_python(self, value: Any) -> Any:
        """As it is meant."""
        try:
            return beginning.time_of(value) if value else None
        except BadSubscription as exc:
            raise ValidationError(str(exc)) from exc


class WhichForm(forms.Form):
    """Which dead letters: these, or those of a time; else all."""

    id = _IdsField(required=False)
    since = _MomentField(
        required=False,
        label="Only those that died at this time or later (UTC)",
        help_text="Empty: whenever they died.",
        widget=forms.DateTimeInput(attrs=_MOMENT),
    )
    until = _MomentField(required=False, widget=forms.HiddenInput)


class SkipForm(forms.Form):
    """Which message."""

    id = _IdsField(error_messages={"required": "Say which message."})

    def clean_id(self) -> list[bytes]:
        """One."""
        ids: list[bytes] = self.cleaned_data["id"]
        if len(ids) != 1:
            raise ValidationError("One message at a time.")
        return ids


class _FilterField(forms.JSONField):
    """None is shown as nothing, as it is given."""

    def prepare_value(self, value: Any) -> Any:
        """As it is shown."""
        return "" if value is None else super().prepare_value(value)


class SubscriptionForm(forms.ModelForm):  # type: ignore[type-arg]
    """A subscription's settings. `wanted`: what is to be set, by column; `tags`: what was seen.

    endpoints: those to which he may have something sent
    """

    endpoints: ClassVar[Any] = Endpoint.objects.none()

    start = PlaceField(label="Begins at", initial=beginning.EARLIEST)
    endpoint = forms.ModelChoiceField(
        Endpoint.objects.none(),
        required=False,
        empty_label="none: programs fetch its messages",
        help_text="Where its messages are sent to. Then its mode is lease.",
    )
    format = forms.ChoiceField(
        choices=Webhook.Format.choices,
        initial=Webhook.Format.STANDARD,
        required=False,
        help_text="What is sent to the endpoint.",
    )
    batch_messages = forms.IntegerField(
        min_value=1,
        max_value=LARGEST_BATCH_MESSAGES,
        required=False,
        label="Messages in a request",
        help_text=f"At most, in the last two formats. Empty: {BATCH_MESSAGES}.",
    )
    seen = forms.CharField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Subscription
        fields: ClassVar[list[str]] = ["name", "channel", "mode", *SETTINGS]
        field_classes: ClassVar[dict[str, Any]] = {"filter": _FilterField}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "endpoint" in self.fields:
            self.fields["endpoint"].queryset = self.endpoints.all()  # type: ignore[attr-defined]
        hook = Webhook.objects.filter(subscription=self.instance.pk).first() if self.instance.pk else None
        if hook is not None and "format" in self.fields:
            self.fields["format"].initial = hook.format
            self.fields["batch_messages"].initial = hook.batch_messages
        if self.instance.pk:
            del self.fields["start"], self.fields["endpoint"]
            if hook is None:
                del self.fields["format"], self.fields["batch_messages"]
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

    @property
    def pushed(self) -> dict[str, Any]:
        """What somebody has said here of how it is pushed."""
        said = {name: self.cleaned_data.get(name) for name in ("format", "batch_messages")}
        if self.instance.pk is None:
            return {name: value for name, value in said.items() if value}
        return {name: value for name, value in said.items() if name in self.changed_data}

    def _check_pushed(self, cleaned: dict[str, Any]) -> None:
        if cleaned["mode"] != Subscription.Mode.LEASE:
            self.add_error("mode", 'What is sent to an endpoint has the mode "lease".')
        for column in self.wanted.keys() & set(NOT_PUSHED):
            self.add_error(column, "Not for what is sent to an endpoint. Leave it as it was.")

    def _check_together(self, cleaned: dict[str, Any]) -> None:
        order, most = cleaned.get("order") or self.instance.order, self.pushed.get("batch_messages")
        try:
            setting.check(cleaned["format"] or Webhook.Format.STANDARD, order, most)
        except BadSubscription as exc:
            column, _, text = str(exc).partition(": ")
            self.add_error(column, text)

    def clean(self) -> dict[str, Any]:
        """It has to be something that can be meant."""
        cleaned: dict[str, Any] = super().clean() or {}
        if self.errors:
            return cleaned
        mode = cleaned.get("mode") or self.instance.mode
        if mode == Subscription.Mode.CURSOR:
            for column in self.wanted.keys() & set(LEASE_ONLY):
                self.add_error(column, 'Only in the mode "lease". Leave it as it was.')
        if cleaned.get("endpoint"):
            self._check_pushed(cleaned)
        if cleaned.get("endpoint") or (self.instance.pk and "format" in self.fields):
            self._check_together(cleaned)
        if "order_field" in self.fields and not self.errors:
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
