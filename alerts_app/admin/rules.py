"""Rules in Django's admin: all changes go through `registration`."""

import logging
from collections.abc import Callable
from typing import Any, Final

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import re_path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from pymongo.errors import PyMongoError

from alerts_app import alerts, faring, registration
from alerts_app.admin import trying
from alerts_app.admin.decisions import DECISIONS
from alerts_app.admin.forms import RuleForm
from alerts_app.models import Rule
from relaybase.pages import deciding
from relaybase.pages.filters import grouped
from relaycore.errors import RelayError, one_line

log = logging.getLogger(__name__)

MOST: Final = 50
"""Open alerts that are shown."""

_AWAY = "A server does not answer. Try again in a moment."
_LOOKS = {"active": "good", "disabled": "bad"}


@admin.register(Rule)
class RuleAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """What turns one channel into another one, how far each has come, and what is to be done about it."""

    list_display = ("name", "kind", "channel", "to", "runs", "opened", "behind", "useless")
    list_filter = ("state", "kind")
    list_select_related = ("channel", "to")
    list_per_page = 50
    search_fields = ("name", "channel__channel", "to__channel")
    show_full_result_count = False
    form = RuleForm
    actions = None
    change_form_template = "admin/alerts_app/rule/change_form.html"

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """With how each of those fares that are shown, asked for once."""
        found: Any = super().get_changelist_instance(request)
        rows = list(found.result_list)
        fare = faring.of_all_if_known(rows) or {}
        for row in rows:
            row.fares = fare.get(row.uuid.hex)
        found.result_list = rows
        return found

    def get_urls(self) -> list[Any]:
        """With the pages on which somebody decides about one."""
        view = self.admin_site.admin_view(self.decide)
        path = rf"^(?P<pk>[0-9]+)/(?P<verb>{'|'.join(DECISIONS)})/$"
        trial = self.admin_site.admin_view(self.try_out)
        return [
            re_path(path, view, name="alerts_app_rule_decide"),
            re_path(r"^(?P<pk>[0-9]+)/try/$", trial, name="alerts_app_rule_try"),
            *super().get_urls(),
        ]

    def try_out(self, request: HttpRequest, pk: str) -> HttpResponse:
        """What it would tell of what is stored. It changes nothing, so whoever may look may ask."""
        row = Rule.objects.select_related("channel", "to").filter(pk=int(pk)).first()
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        if row is None:
            raise Http404("There is no such rule.")
        return trying.page(self, request, row)

    def decide(self, request: HttpRequest, pk: str, verb: str) -> HttpResponse:
        """One of these pages."""
        row = Rule.objects.select_related("channel", "to").filter(pk=int(pk)).first()
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        if row is None:
            raise Http404("There is no such rule.")
        about = f"{row.state}, from {row.channel} to {row.to}"
        return deciding.decide(self, request, row, DECISIONS[verb], _said, about)

    def get_fields(self, request: HttpRequest, obj: Rule | None = None) -> Any:
        """All of it when it is made, and later what may be changed."""
        if obj is None:
            return ("name", "reads", "writes", "kind", "settings", "start")
        if not self.has_change_permission(request, obj):
            return ("name", "channel", "to", "kind", "settings")
        return ("name", "channel", "to", "kind", "settings", "seen")

    def get_readonly_fields(self, request: HttpRequest, obj: Rule | None = None) -> tuple[str, ...]:
        """What never changes."""
        return () if obj is None else ("name", "channel", "to", "kind")

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        """With how it fares, and what is open."""
        obj = kwargs.get("obj")
        if obj is not None:
            may_decide = self.has_change_permission(request, obj)
            context = {**context, **_facts(obj), "title": "Rule", "may_decide": may_decide}
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="state", ordering="state")
    def runs(self, row: Rule) -> SafeString:
        """Whether it reads on, and why not."""
        why = row.reason if len(row.reason) <= 80 else f"{row.reason[:79]}…"
        return format_html(
            '<span class="pill {}">{}</span> <span class="quiet">{}</span>', _LOOKS[row.state], row.state, why
        )

    @admin.display(description="open")
    def opened(self, row: Any) -> str:
        """How many alerts."""
        found: faring.Fares | None = row.fares
        return "–" if found is None else grouped(found.open)

    @admin.display(description="waiting")
    def behind(self, row: Any) -> str:
        """How many messages it has not taken."""
        found: faring.Fares | None = row.fares
        return "–" if found is None else found.waits or "–"

    @admin.display(description="unusable")
    def useless(self, row: Any) -> SafeString:
        """How many messages it could not use, and why not the last of them."""
        found: faring.Fares | None = row.fares
        if found is None:
            return SafeString("–")
        return format_html('{} <span class="quiet">{}</span>', grouped(found.unusable), found.last_unusable)

    def save_model(self, request: HttpRequest, obj: Rule, form: Any, change: bool) -> None:
        """Make it, or replace its settings."""
        given = form.cleaned_data
        if change:
            if "settings" in form.changed_data:
                registration.change(obj.name, given["settings"], tags=form.tags)
            return
        channel, to, kind = given["reads"].channel, given["writes"], given["kind"]
        made = registration.create(obj.name, channel, to, kind, given["settings"], given["start"])
        obj.pk, obj.channel, obj.to, obj.settings = made.pk, made.channel, made.to, made.settings

    def delete_model(self, request: HttpRequest, obj: Rule) -> None:
        """Delete it."""
        registration.delete(obj.name)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """It alone: what was said of its alerts goes with it, and takes no permission."""
        names = [f"rule {obj}" for obj in objs]
        return names, {"rules": len(names)}, set(), []

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The form; somebody else may have been quicker since it was filled in."""
        return self._or_said(
            request, lambda: super(RuleAdmin, self).changeform_view(request, *args, **kwargs)
        )

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The question before it is deleted, and the deletion."""
        return self._or_said(request, lambda: super(RuleAdmin, self).delete_view(request, *args, **kwargs))

    def _or_said(self, request: HttpRequest, do: Callable[[], HttpResponse]) -> HttpResponse:
        try:
            return do()
        except (RelayError, PyMongoError) as exc:
            self.message_user(request, _said(exc), messages.ERROR)
            return redirect("admin:alerts_app_rule_changelist")


def _facts(row: Rule) -> dict[str, Any]:
    """How it fares, and what is open; None: MongoDB does not answer."""
    found = faring.of_all_if_known([row])
    try:
        opened = None if found is None else alerts.page([row], limit=MOST)
    except PyMongoError as exc:
        log.warning("what is open is not known: %s", one_line(exc))
        opened = None
    return {
        "row": row,
        "is_known": found is not None,
        "fares": None if found is None else found.get(row.uuid.hex),
        "alerts": None if opened is None else opened.rows[:MOST],
        "has_more": opened is not None and (opened.next is not None or len(opened.rows) > MOST),
        "most": MOST,
    }


def _said(exc: Exception) -> str:
    if isinstance(exc, RelayError):
        return str(exc)
    log.warning("a rule is not changed: %s", one_line(exc))
    return _AWAY
