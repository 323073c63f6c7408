"""The forms of a rule: how it is set, and what is decided about it."""

import json
from typing import Any, ClassVar, Final

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import ValidationError
from django.forms.fields import InvalidJSONInput
from django.utils.html import format_html, format_html_join

from alerts_app.models import Rule
from channels_app.models import Channel
from relaybase.pages.places import EARLIEST, HERE, LATEST, TIME, Place, PlaceField
from relaycore.alerting import rules
from relaycore.channels import MAX_NAME_BYTES
from relaycore.errors import RelayError

EXAMPLES: Final = {
    "window": '{"key": ["location"], "start": "receipt", "duration": {"seconds": 300}}',
    "group": '{"matchers": ["severity=\\"page\\""], "group_by": ["alertname"]}',
    "threshold": '{"key": ["host"], "count": 10, "seconds": 60}',
    "absence": '{"key": ["host"], "seconds": 300}',
    "unacknowledged": '{"seconds": 600, "forget_seconds": 86400}',
    "failing": '{"subjects": ["endpoints/pager"]}',
}
"""What a rule of each kind may be set to."""

_LATEST: Final = Place(
    LATEST.kind, LATEST.label, "After all that is there by now. Only what comes later is read."
)
_IS_HERE: Final = Place(HERE, "Where it stands", "What has ended meanwhile is told late.")
_BEGINNING: Final = (_LATEST, TIME, EARLIEST)
_AGAIN: Final = (_IS_HERE, *_BEGINNING)


class EnableForm(forms.Form):
    """From where it reads on."""

    to = PlaceField(_AGAIN, label="Read on from", initial=HERE)


class DisableForm(forms.Form):
    """Why it is disabled."""

    reason = forms.CharField(
        required=False, max_length=500, label="Reason", help_text="Others see it. It may be empty."
    )


class SettingsField(forms.JSONField):
    """Settings of a rule, set out line by line."""

    widget = forms.Textarea(attrs={"rows": 14, "spellcheck": "false"})

    def prepare_value(self, value: Any) -> Any:
        """As it is shown; what was typed, as it was typed."""
        if isinstance(value, InvalidJSONInput):
            return value
        return json.dumps(value, ensure_ascii=False, indent=2)


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]
    """A rule's settings. `tags`: what was seen."""

    reads = forms.ModelChoiceField(
        Channel.objects.all(),
        label="Channel",
        help_text="What it reads.",
        # There may be a hundred thousand of them: they are searched for.
        widget=AutocompleteSelect(Rule._meta.get_field("channel"), admin.site),
    )
    writes = forms.CharField(
        max_length=MAX_NAME_BYTES,
        label="To",
        help_text="The channel that it writes. It is made if there is none; nobody may listen to it.",
    )
    settings = SettingsField(
        initial=dict,
        help_text=format_html(
            "JSON, as docs/alerts.md says for each kind. For instance{}",
            format_html_join("", "<br>{}: <code>{}</code>", EXAMPLES.items()),
        ),
    )
    start = PlaceField(_BEGINNING, label="Begins at", initial=LATEST.kind)
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
