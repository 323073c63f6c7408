"""Silences, and alerts that senders repeat, in Django's admin."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from alerts_app.receiving.models import HeardAlert
from alerts_app.silencing import registration
from alerts_app.silencing.models import MOST_NOTE_CHARS, Silence
from relaybase.pages.readonly import AddOnlyAdmin, ReadOnlyAdmin
from relaycore.alerting.labelled import labels, matchers
from relaycore.alerting.labelled.refused import LabelError
from relaycore.alerting.labelled.silences import STATES
from relaycore.alerting.labelled.silences import Silence as Decided
from relaycore.times import from_milliseconds, to_milliseconds

_FIRING, _RESOLVED = "firing", "resolved"
_LOOKS = {"active": "good", "pending": "warn", "expired": "quiet"}


class SilenceForm(forms.ModelForm):  # type: ignore[type-arg]
    """What is silenced, and until when. Making it is tried while it is checked."""

    asked = forms.CharField(
        label="Matchers",
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
        help_text='One in a line: name="value", or with !=, =~, !~. All of them must match.',
    )

    class Meta:
        model = Silence
        fields = ("asked", "starts_at", "ends_at", "comment")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "starts_at" in self.fields:
            self.fields["starts_at"].required = False
            self.fields["starts_at"].help_text = "Empty: now."
            self.fields["starts_at"].label, self.fields["ends_at"].label = "Starts at (UTC)", "Ends at (UTC)"
            self.fields["comment"].max_length = MOST_NOTE_CHARS  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """As `registration.put` would have it, but for what others do meanwhile."""
        cleaned: dict[str, Any] = super().clean() or {}
        if "asked" in cleaned and cleaned.get("ends_at") is not None:
            try:
                cleaned["decided"] = registration.require_new(self._decided(cleaned))
            except LabelError as exc:
                raise forms.ValidationError(str(exc)) from exc
        return cleaned

    @staticmethod
    def _decided(cleaned: dict[str, Any]) -> Decided:
        lines = [line for line in cleaned["asked"].splitlines() if line.strip()]
        starts = cleaned.get("starts_at")
        return Decided(
            "",
            matchers.several(lines),
            0 if starts is None else max(1, to_milliseconds(starts)),
            to_milliseconds(cleaned["ends_at"]),
        )


class StateFilter(admin.SimpleListFilter):
    """Pending, active, expired."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The three."""
        return [(state, state) for state in STATES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Silence]) -> QuerySet[Silence]:
        """Only these."""
        if self.value() is None:
            return queryset
        return registration.in_state(self.value(), queryset)


@admin.register(Silence)
class SilenceAdmin(AddOnlyAdmin):
    """Whose notices are held back, by all rules of the kind group. One that holds is ended by its action."""

    form = SilenceForm
    list_display = ("what", "state", "starts_at", "ends_at", "created_by", "comment")
    list_filter = (StateFilter,)
    list_per_page = 50
    search_fields = ("comment", "created_by")
    ordering = ("-ends_at",)
    actions = ("expire",)
    change_form_template = "admin/alerts_app/silence/change_form.html"
    fields = ("what", "state", "starts_at", "ends_at", "created_by", "comment", "updated_at")
    readonly_fields = ("what", "state")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """What is asked of a new one, and all of one that is there."""
        return SilenceForm.Meta.fields if obj is None else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Nothing of a new one."""
        return () if obj is None else self.readonly_fields

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        """With the button that ends it, and by its matchers: its id says nothing to a person."""
        row: Silence | None = kwargs.get("obj")
        if row is not None:
            has_ended = row.decided.state(registration.now()) == "expired"
            may_end = not has_ended and self.has_end_permission(request)
            context = {**context, "subtitle": self.what(row), "may_end": may_end}
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Silence, form: Any, change: bool) -> None:
        """Make it, as the API does."""
        made = registration.put(
            form.cleaned_data["decided"], request.user.get_username(), form.cleaned_data["comment"]
        )
        obj.pk, obj.matchers = made.pk, made.matchers

    @admin.action(description="Expire now", permissions=["end"])
    def expire(self, request: HttpRequest, queryset: QuerySet[Silence]) -> None:
        """End them now."""
        chosen = [str(pk) for pk in queryset.values_list("pk", flat=True)]
        for pk in chosen:
            registration.expire(pk)
        messages.success(request, f"{len(chosen)} expired.")

    def has_end_permission(self, request: HttpRequest) -> bool:
        """Whoever may change one may end it."""
        user: Any = request.user
        return bool(user.has_perm("alerts_app.change_silence"))

    @admin.display(description="matchers")
    def what(self, row: Silence) -> str:
        """Its matchers."""
        return ", ".join(map(str, row.decided.matchers))

    @admin.display(description="state")
    def state(self, row: Silence) -> SafeString:
        """What it is now."""
        state = row.decided.state(registration.now())
        return format_html('<span class="pill {}">{}</span>', _LOOKS[state], state)


class FiringFilter(admin.SimpleListFilter):
    """Firing, resolved."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The two."""
        return [(state, state) for state in (_FIRING, _RESOLVED)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[HeardAlert]) -> QuerySet[HeardAlert]:
        """Only these."""
        return queryset if self.value() is None else queryset.filter(is_firing=self.value() == _FIRING)


@admin.register(HeardAlert)
class HeardAlertAdmin(ReadOnlyAdmin):
    """Alerts that senders repeat: those that fire, and those that have fired in the last hour."""

    list_display = ("what", "firing", "since", "until")
    list_filter = (FiringFilter,)
    list_per_page = 50
    ordering = ("-is_firing", "fingerprint")
    fields = ("what", "fingerprint", "firing", "since", "until", "annotations", "url")
    readonly_fields = fields

    @admin.display(description="labels")
    def what(self, row: HeardAlert) -> str:
        """Its labels."""
        return labels.written(row.labels)

    @admin.display(description="state", ordering="is_firing")
    def firing(self, row: HeardAlert) -> SafeString:
        """Whether it fires."""
        look, state = ("bad", _FIRING) if row.is_firing else ("quiet", _RESOLVED)
        return format_html('<span class="pill {}">{}</span>', look, state)

    @admin.display(description="starts at", ordering="starts")
    def since(self, row: HeardAlert) -> Any:
        """Since when."""
        return from_milliseconds(row.starts)

    @admin.display(description="ends at", ordering="ends")
    def until(self, row: HeardAlert) -> Any:
        """Until when, unless it is repeated."""
        return from_milliseconds(row.ends)
