"""The forms of a rule: how it is set, and what is decided about it."""

from typing import Any, ClassVar, Final

from django import forms
from django.core.exceptions import ValidationError

from alerts_app.models import Rule
from channels_app.models import Channel
from relaybase.pages.places import EARLIEST, HERE, LATEST, TIME, Place, PlaceField
from relaycore.alerting import rules
from relaycore.channels import MAX_NAME_BYTES
from relaycore.errors import RelayError

_IS_HERE: Final = Place(HERE, "Where it stands", "What has ended meanwhile is told late.")
_BEGINNING: Final = (LATEST, TIME, EARLIEST)
_AGAIN: Final = (_IS_HERE, *_BEGINNING)


class EnableForm(forms.Form):
    """From where it reads on."""

    to = PlaceField(_AGAIN, label="Read on from", initial=HERE)


class DisableForm(forms.Form):
    """Why it is disabled."""

    reason = forms.CharField(
        required=False, max_length=500, label="Reason", help_text="Others see it. It may be empty."
    )


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]
    """A rule's settings. `tags`: what was seen."""

    reads = forms.ModelChoiceField(Channel.objects.all(), label="Channel", help_text="What it reads.")
    writes = forms.CharField(
        max_length=MAX_NAME_BYTES,
        label="To",
        help_text="The channel that it writes. It is made if there is none; nobody may listen to it.",
    )
    settings = forms.JSONField(
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}),
        help_text="JSON. docs/alerts.md says what each kind takes.",
    )
    start = PlaceField(_BEGINNING, label="Begin at", initial=LATEST.kind)
    seen = forms.CharField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Rule
        fields: ClassVar[list[str]] = ["name", "kind"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is None:
            return
        for name in ("reads", "writes", "start"):
            self.fields.pop(name, None)
        self.initial["settings"], self.initial["seen"] = self.instance.settings, self.instance.tag

    @property
    def tags(self) -> list[str]:
        """That of the rule which the page showed."""
        return [self.cleaned_data.get("seen", "")]

    def clean(self) -> dict[str, Any]:
        """What the kind cannot be set to is said at its field."""
        cleaned: dict[str, Any] = super().clean() or {}
        kind = cleaned.get("kind") or self.instance.kind
        if kind and "settings" in cleaned:
            try:
                rules.parse(kind, cleaned["settings"])
            except RelayError as exc:
                self.add_error("settings", ValidationError(str(exc)))
        return cleaned
