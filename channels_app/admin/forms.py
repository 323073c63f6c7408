"""The form of a channel. It writes what was changed in it, and nothing else.

What it showed when it was opened comes back with it (`seen`). Somebody else may have changed it since: then
what was not touched here stays as it is now, and what both have changed is refused.
"""

import json
from functools import cached_property
from typing import Any, ClassVar, Final

from django import forms
from django.core.exceptions import ValidationError

from channels_app.models import Channel
from channels_app.validators import content
from relaycore.errors import BadBroadcast, BadPolicy
from relaycore.live.broadcasts import check_broadcast
from relaycore.policy import parse

SETTINGS: Final = ("listen", "deduplicate", "retention_seconds", "republish", "public", "broadcast")

_KINDS: Final = (
    ("content", "content: the same text once"),
    ("every", "every: each publish"),
    ("field", "field: once for each value of this field of its JSON:"),
)

_UNITS: Final = (
    (1, "seconds"),
    (60, "minutes"),
    (3600, "hours"),
    (86_400, "days"),
)

_STALE: Final = "This page does not say what it showed when it was opened. Open it again."


class _PolicyWidget(forms.MultiWidget):
    """Three radio buttons, and the field's name beside the last one."""

    def __init__(self) -> None:
        name = forms.TextInput({"aria-label": "field", "placeholder": "id"})
        super().__init__([forms.RadioSelect(choices=_KINDS), name])

    def decompress(self, value: Any) -> list[Any]:
        """As they are shown."""
        return ["field", value.get("field", "")] if isinstance(value, dict) else [value, ""]


class _PolicyField(forms.MultiValueField):
    """A deduplication policy, as JSON has it."""

    widget = _PolicyWidget

    def __init__(self, **options: Any) -> None:
        parts = (forms.ChoiceField(choices=_KINDS), forms.CharField(required=False, strip=False))
        super().__init__(parts, require_all_fields=False, **options)

    def compress(self, data_list: list[Any]) -> Any:
        """As it is stored."""
        kind, name = data_list or ("", "")
        value = {"field": name} if kind == "field" else kind
        try:
            return parse(value).as_json()
        except BadPolicy as exc:
            raise ValidationError(
                "Say by which field." if kind == "field" and not name else str(exc)
            ) from exc


class _RetentionWidget(forms.MultiWidget):
    """A number, and a unit."""

    def __init__(self) -> None:
        number, unit = forms.NumberInput({"min": 1}), forms.Select({"aria-label": "unit"}, _UNITS)
        super().__init__([number, unit])

    def decompress(self, value: Any) -> list[Any]:
        """In the largest unit of which it is a whole number."""
        if value is None:
            return [None, _UNITS[-1][0]]
        unit = max(unit for unit, _ in _UNITS if value % unit == 0)
        return [value // unit, unit]


class _RetentionField(forms.MultiValueField):
    """Seconds; None: for ever."""

    widget = _RetentionWidget

    def __init__(self, **options: Any) -> None:
        units = forms.TypedChoiceField(choices=_UNITS, coerce=int)
        parts = (forms.IntegerField(required=False, min_value=1), units)
        super().__init__(parts, require_all_fields=False, required=False, **options)

    def compress(self, data_list: list[Any]) -> int | None:
        """As it is stored."""
        number, unit = data_list or (None, None)
        return None if number in (None, "") else int(number) * int(unit or 1)


class ChannelForm(forms.ModelForm):  # type: ignore[type-arg]
    """A channel's settings. `changed`: what was changed in it, by column; `was`: what was seen there."""

    deduplicate = _PolicyField(initial=content, help_text="Which messages are the same, and stored once.")
    retention_seconds = _RetentionField(
        label="Keep messages for",
        help_text="Messages that are older are deleted, those stored already too. Empty: never.",
    )
    seen = forms.CharField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Channel
        fields: ClassVar[list[str]] = ["channel", *SETTINGS]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "channel" in self.fields:
            self.fields["channel"].strip = False  # type: ignore[attr-defined]  # As the API takes it.
        if "seen" in self.fields and self.instance.pk:
            self.initial["seen"] = json.dumps({name: getattr(self.instance, name) for name in SETTINGS})

    @cached_property
    def was(self) -> dict[str, Any]:
        """What the page showed when it was opened; empty if it does not say that."""
        try:
            found = json.loads(self.cleaned_data.get("seen") or "{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) and found.keys() == set(SETTINGS) else {}

    @property
    def changed(self) -> dict[str, Any]:
        """What somebody has changed here."""
        cleaned = self.cleaned_data
        return {
            name: cleaned[name] for name in SETTINGS if name in cleaned and cleaned[name] != self.was[name]
        }

    @cached_property
    def changed_data(self) -> list[str]:
        """For the log of the admin."""
        if self.instance.pk is None or not hasattr(self, "cleaned_data") or not self.was:
            return [name for name in ("channel", *SETTINGS) if name in self.fields]
        return list(self.changed)

    def clean(self) -> dict[str, Any]:
        """What somebody else has changed meanwhile is not overwritten."""
        cleaned: dict[str, Any] = super().clean() or {}
        self._check_broadcast(cleaned)
        if self.instance.pk is None:
            return cleaned
        if not self.was:
            raise ValidationError(_STALE)
        now = Channel.objects.filter(pk=self.instance.pk).values(*SETTINGS).first() or self.was
        for name in self.changed:
            if now[name] != self.was[name]:
                said = _said(name, now[name])
                self.add_error(
                    name, f"Somebody else has changed this to {said} meanwhile. Open the page again."
                )
        return cleaned

    def _check_broadcast(self, cleaned: dict[str, Any]) -> None:
        try:
            check_broadcast(cleaned.get("broadcast", ""), is_public=cleaned.get("public", False))
        except BadBroadcast as exc:
            self.add_error("broadcast", str(exc))


def _said(name: str, value: Any) -> str:
    if name == "retention_seconds":
        return "“for ever”" if value is None else f"{value} seconds"
    return json.dumps(value)
