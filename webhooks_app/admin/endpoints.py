"""Endpoints in Django's admin: all changes go through `registration`."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import re_path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from pymongo.errors import PyMongoError

from relaybase.pages import deciding
from relaybase.pages.filters import ago
from relaybase.pages.places import HERE
from relaycore.errors import RelayError, one_line
from relaycore.times import from_milliseconds
from webhooks_app import registration, trusting
from webhooks_app.admin import page
from webhooks_app.admin.decisions import DECISIONS, secrets_said
from webhooks_app.admin.forms import SETTINGS, EndpointForm
from webhooks_app.models import Endpoint
from webhooks_app.rights import CHANGE as CHANGE_SUBSCRIPTIONS
from webhooks_app.rights import DELETE, VOUCH

log = logging.getLogger(__name__)

_AWAY = "A server does not answer. Try again in a moment."
MOST_SHOWN = 60
"""Characters of a URL, in the list."""

_LOOKS = {"active": "good", "pending": "warn", "disabled": "bad"}


@admin.register(Endpoint)
class EndpointAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Where webhooks go, how they fare there, and what is to be done about it."""

    list_display = ("name", "owner", "address", "sent_to", "way", "answered_last", "failing", "subscriptions")
    list_filter = ("state", "breaker", "confirmation")
    list_select_related = ("owner",)
    list_per_page = 50
    search_fields = ("name", "url")
    show_full_result_count = False
    form = EndpointForm
    actions = None
    change_form_template = "admin/webhooks_app/endpoint/change_form.html"

    def get_queryset(self, request: HttpRequest) -> Any:
        """With how many subscriptions hang on each."""
        return super().get_queryset(request).annotate(hooks=Count("webhooks"))

    def get_urls(self) -> list[Any]:
        """With the pages on which somebody decides about one."""
        view = self.admin_site.admin_view(self.decide)
        path = rf"^(?P<pk>[0-9]+)/(?P<verb>{'|'.join(DECISIONS)})/$"
        return [re_path(path, view, name="webhooks_app_endpoint_decide"), *super().get_urls()]

    def decide(self, request: HttpRequest, pk: str, verb: str) -> HttpResponse:
        """One of these pages. To go on from elsewhere is a seek of the subscriptions."""
        row = Endpoint.objects.select_related("owner").filter(pk=int(pk)).first()
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        if row is None:
            raise Http404("There is no such endpoint.")
        given = request.POST if request.method == "POST" else request.GET
        is_seek = verb == "enable" and given.get("to", HERE) != HERE
        if is_seek and not _has(request, CHANGE_SUBSCRIPTIONS.permission):
            raise PermissionDenied
        return deciding.decide(self, request, row, DECISIONS[verb], _said, f"{row.state}, of {row.owner}")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form of whoever asks."""
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        form.may_vouch = _has(request, VOUCH.permission)
        return form

    def get_fields(self, request: HttpRequest, obj: Endpoint | None = None) -> Any:
        """Where it is, how it is confirmed, its limits, and what is sent along."""
        if obj is None:
            return ("name", *SETTINGS, "sent_along", *trusting.PARTS, "signatures")
        if not self.has_change_permission(request, obj):
            return ("name", "owner", *SETTINGS)
        return ("name", "owner", *SETTINGS, "sent_along", "no_headers", *trusting.PARTS, "seen")

    def get_readonly_fields(self, request: HttpRequest, obj: Endpoint | None = None) -> tuple[str, ...]:
        """What never changes."""
        return () if obj is None else ("name", "owner")

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        """With how it fares."""
        obj = kwargs.get("obj")
        if obj is not None:
            may_decide = self.has_change_permission(request, obj)
            context = {**context, **page.facts(obj), "title": "Endpoint", "may_decide": may_decide}
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="URL", ordering="url")
    def address(self, row: Endpoint) -> SafeString:
        """Where it is; the beginning of it, if it is long."""
        short = row.url if len(row.url) <= MOST_SHOWN else f"{row.url[: MOST_SHOWN - 1]}…"
        return format_html('<span title="{}">{}</span>', row.url, short)

    @admin.display(description="state", ordering="state")
    def sent_to(self, row: Endpoint) -> SafeString:
        """Whether anything is sent to it, and why not."""
        why = row.reason if len(row.reason) <= 80 else f"{row.reason[:79]}…"
        return format_html(
            '<span class="pill {}">{}</span> <span class="quiet">{}</span>', _LOOKS[row.state], row.state, why
        )

    @admin.display(description="breaker", ordering="breaker")
    def way(self, row: Endpoint) -> SafeString:
        """Whether it is left alone for a while."""
        look = "good" if row.breaker == Endpoint.Breaker.CLOSED else "warn"
        return format_html('<span class="pill {}">{}</span>', look, row.breaker)

    @admin.display(description="last answer", ordering="last_attempt_at")
    def answered_last(self, row: Endpoint) -> str:
        """What came of the last attempt, and when it was."""
        return f"{page.answer(row)}, {ago(row.last_attempt_at)}" if row.last_attempt_at else "never tried"

    @admin.display(description="failing since", ordering="failing_since")
    def failing(self, row: Endpoint) -> str:
        """Since when no attempt has succeeded."""
        return ago(from_milliseconds(row.failing_since)) if row.failing_since else "–"

    @admin.display(description="subscriptions", ordering="hooks")
    def subscriptions(self, row: Any) -> int:
        """How many hang on it."""
        return int(row.hooks)

    def save_model(self, request: HttpRequest, obj: Endpoint, form: Any, change: bool) -> None:
        """Make it, or change what was changed in the form."""
        if change:
            if form.wanted:
                registration.change(
                    obj, tags=form.tags, may_vouch=partial(_require_vouching, request), **form.wanted
                )
            return
        signatures = form.cleaned_data["signatures"]
        made, secrets = registration.create(obj.name, request.user, signatures, **form.wanted)
        obj.pk, obj.owner = made.pk, made.owner
        for text in secrets_said(made, secrets):
            self.message_user(request, text, messages.WARNING)

    def delete_model(self, request: HttpRequest, obj: Endpoint) -> None:
        """Delete it, with its subscriptions if he may: some may hang on it since the page has named them."""
        registration.delete(obj, cascade=_has(request, DELETE.permission))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """It, and the subscriptions that hang on it: to delete these takes the permission on them."""
        names = [f"endpoint {obj}" for obj in objs]
        hooked = [f"subscription {hook.subscription}" for obj in objs for hook in _hooks(obj)]
        lacks = {"subscription"} if hooked and not _has(request, DELETE.permission) else set()
        counts = {"endpoints": len(names), **({"subscriptions": len(hooked)} if hooked else {})}
        return [*names, *hooked], counts, lacks, []

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The form; somebody else may have been quicker since it was filled in."""
        return self._or_said(
            request, lambda: super(EndpointAdmin, self).changeform_view(request, *args, **kwargs)
        )

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The question before it is deleted, and the deletion."""
        return self._or_said(
            request, lambda: super(EndpointAdmin, self).delete_view(request, *args, **kwargs)
        )

    def _or_said(self, request: HttpRequest, do: Callable[[], HttpResponse]) -> HttpResponse:
        try:
            return do()
        except (RelayError, PyMongoError) as exc:
            self.message_user(request, _said(exc), messages.ERROR)
            return redirect("admin:webhooks_app_endpoint_changelist")


def _hooks(row: Endpoint) -> Any:
    return row.webhooks.select_related("subscription").order_by("subscription__name")


def _has(request: HttpRequest, permission: str) -> bool:
    user: Any = request.user
    return bool(user.has_perm(permission))


def _require_vouching(request: HttpRequest) -> None:
    """The form has said it already, unless the endpoint was set otherwise right then."""
    if not _has(request, VOUCH.permission):
        raise PermissionDenied


def _said(exc: Exception) -> str:
    if isinstance(exc, RelayError):
        return str(exc)
    log.warning("an endpoint is not changed: %s", one_line(exc))
    return _AWAY
