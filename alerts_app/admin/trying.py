"""The page on which a rule is tried: what it would tell of what is stored, beside what it told."""

import logging
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from pymongo.errors import PyMongoError

from alerts_app import trying
from alerts_app.admin.forms import SettingsField
from alerts_app.models import Rule
from alerts_app.trying import Asked, Tried
from relaycore.alerting import rules
from relaycore.errors import RelayError, one_line

log = logging.getLogger(__name__)

SHOWN = 200
"""Events."""

_AWAY = "A server does not answer. Try again in a moment."


class TryForm(forms.Form):
    """With which settings, and on which messages."""

    settings = SettingsField(help_text="JSON: as the rule is set, or as it might be.")
    since = forms.DateTimeField(
        required=False,
        label="Since (UTC)",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}),
        help_text="Of messages from then on. Empty: of all that are stored.",
    )
    until = forms.DateTimeField(
        required=False,
        label="Until (UTC)",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}),
        help_text="And before then. Empty: up to now.",
    )

    def __init__(self, kind: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._kind = kind

    def clean_settings(self) -> Any:
        """Such that the kind can have them."""
        settings = self.cleaned_data["settings"]
        try:
            rules.parse(self._kind, settings)
        except RelayError as exc:
            raise forms.ValidationError(str(exc)) from exc
        return settings


def page(owner: Any, request: HttpRequest, row: Rule) -> HttpResponse:
    """The form, and under it what came of it. Nothing is changed, so whoever may look may ask for it."""
    form = TryForm(row.kind, request.POST or None, initial={"settings": row.settings}, label_suffix="")
    tried = _try(row, form) if request.method == "POST" and form.is_valid() else None
    context: dict[str, Any] = {
        **owner.admin_site.each_context(request),
        "title": "Try it",
        "opts": owner.opts,
        "row": row,
        "change": reverse("admin:alerts_app_rule_change", args=[row.pk]),
        "form": form,
        "tried": tried,
        "shown": SHOWN,
    }
    return TemplateResponse(request, "admin/alerts_app/rule/try.html", context)


def _try(row: Rule, form: TryForm) -> Tried | None:
    given = form.cleaned_data
    try:
        between = given["since"], given["until"], SHOWN
        return trying.run(Asked(row.channel, row.kind, given["settings"], row, *between))
    except RelayError as exc:
        form.add_error(None, str(exc))
    except PyMongoError as exc:
        log.warning("a rule is not tried: %s", one_line(exc))
        form.add_error(None, _AWAY)
    return None
