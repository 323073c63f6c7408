"""Subscriptions in Django's admin: all changes go through `registration` and `seeking`."""

import logging
from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import re_path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from pymongo.errors import PyMongoError

from relaybase.pages import deciding
from relaybase.pages.filters import ago, per_second, seconds, visible
from relaybase.pages.long_list import LongListPaginator
from relaycore.errors import RelayError, one_line
from subscribers_app import activity, lag, registration, seeking
from subscribers_app.admin import decisions, page, pushed
from subscribers_app.admin.decisions import DECISIONS
from subscribers_app.admin.forms import SeekForm, SubscriptionForm
from subscribers_app.kinds.checking import LEASE_ONLY, NOT_PUSHED
from subscribers_app.models import Subscription
from subscribers_app.registration import SETTINGS
from webhooks_app.subscribing import to_endpoint

log = logging.getLogger(__name__)

_AWAY = "A server does not answer. Try again in a moment."


@admin.register(Subscription)
class SubscriptionAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Who reads, how far, and what is to be done about it."""

    list_display = ("name", "channel", "mode", "handing_out", "behind", "oldest", "rate", "answered_last")
    list_filter = ("state", "mode")
    list_select_related = ("channel",)
    list_per_page = 50
    search_fields = ("name", "channel__channel")
    show_full_result_count = False
    paginator = LongListPaginator
    autocomplete_fields = ("channel",)
    form = SubscriptionForm
    actions = ("pause", "resume", "seek")
    change_form_template = "admin/subscribers_app/subscription/change_form.html"

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The page, with how far its subscriptions are behind, asked for all of them at once."""
        changelist = super().get_changelist_instance(request)
        rows: Any = list(changelist.result_list)
        changelist.result_list = rows
        known, active = lag.of_all(rows), activity.of_all(rows)
        for row in rows:
            row.known, row.active = known[row.pk], active.get(row.pk)
        return changelist

    def get_urls(self) -> list[Any]:
        """With the pages on which somebody decides about one."""
        verbs = "|".join(DECISIONS)
        view = self.admin_site.admin_view(self.decide)
        decide = re_path(
            rf"^(?P<pk>[0-9]+)/(?P<verb>{verbs})/$", view, name="subscribers_app_subscription_decide"
        )
        return [decide, *super().get_urls()]

    def decide(self, request: HttpRequest, pk: str, verb: str) -> HttpResponse:
        """One of these pages."""
        row = Subscription.objects.select_related("channel").filter(pk=pk).first()
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        if row is None:
            raise Http404("There is no such subscription.")
        about = f"reads {visible(row.channel.channel)}"
        return deciding.decide(self, request, row, DECISIONS[verb], _said, about)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form of whoever asks, with the endpoints that are his to send to."""
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        # Of the class, which is made for this request. Its fields are those of all requests.
        form.endpoints = pushed.endpoints(request).order_by("name")
        return form

    def get_fields(self, request: HttpRequest, obj: Subscription | None = None) -> Any:
        """Where nothing is leased there is nothing to set about leases."""
        if obj is None:
            return ("name", "channel", "mode", "start", "endpoint", "format", "batch_messages", *SETTINGS)
        columns = [one for one in SETTINGS if obj.mode == Subscription.Mode.LEASE or one not in LEASE_ONLY]
        if obj.kind == Subscription.Kind.WEBHOOK:
            columns = [one for one in columns if one not in NOT_PUSHED]
        if obj.order != Subscription.Order.FIELD:
            columns = [one for one in columns if one != "order_field"]
        more: list[str] = []
        if self.has_change_permission(request, obj):
            more = ["format", "batch_messages", "seen"] if obj.kind == Subscription.Kind.WEBHOOK else ["seen"]
        return ["name", "channel", "mode", *columns, *more]

    def get_readonly_fields(self, request: HttpRequest, obj: Subscription | None = None) -> tuple[str, ...]:
        """What never changes."""
        if obj is None:
            return ()
        order = ("order", "order_field") if obj.order == Subscription.Order.FIELD else ()
        return ("name", "channel", "mode", *order)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        """With where it stands."""
        obj = kwargs.get("obj")
        return super().render_change_form(
            request, {**context, **(self._facts(request, obj) if obj else {})}, *args, **kwargs
        )

    def _facts(self, request: HttpRequest, row: Subscription) -> dict[str, Any]:
        may_decide = self.has_change_permission(request, row)
        said = {"title": "Subscription", "may_decide": may_decide}
        return {**page.facts(row), **pushed.facts(request, row), **said}

    @admin.display(description="state", ordering="state")
    def handing_out(self, row: Subscription) -> SafeString:
        """Whether anything is handed out."""
        look = "good" if row.state == Subscription.State.ACTIVE else "warn"
        return format_html('<span class="pill {}" title="{}">{}</span>', look, row.reason, row.state)

    @admin.display(description="not done")
    def behind(self, row: Any) -> str:
        """How many messages."""
        return page.count(row.known)

    @admin.display(description="oldest")
    def oldest(self, row: Any) -> str:
        """Since when the oldest of them waits."""
        age = row.known and row.known.age_seconds
        return "–" if age is None else seconds(age)

    @admin.display(description="handed out per second")
    def rate(self, row: Any) -> str:
        """Lately."""
        return "–" if row.active is None else per_second(row.active.handed_out)

    @admin.display(description="last answer")
    def answered_last(self, row: Any) -> str:
        """What a reader said of messages last, and when."""
        answer = row.active and row.active.answer
        return f"{answer.what}, {ago(answer.at)}" if answer else "never"

    def save_model(self, request: HttpRequest, obj: Subscription, form: Any, change: bool) -> None:
        """Make it, or change what was changed in the form."""
        if change:
            if form.wanted or form.pushed:
                registration.change(obj, tags=form.tags, more=form.pushed, **form.wanted)
            return
        start, endpoint = form.cleaned_data["start"], form.cleaned_data["endpoint"]
        named = [(obj.name, obj.channel.channel)]
        if endpoint is None:
            (made,) = registration.create_all(named, obj.mode, start, **form.wanted)
        else:
            making = to_endpoint(endpoint, form.pushed)
            kind = Subscription.Kind.WEBHOOK
            (made,) = registration.create_all(named, obj.mode, start, kind, making, **form.wanted)
        obj.pk = made.pk

    def delete_model(self, request: HttpRequest, obj: Subscription) -> None:
        """Delete it."""
        registration.delete(obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """Delete these."""
        registration.delete_all(queryset)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What is on its way, dead or on record goes as well: nobody has to have rights on that by itself."""
        names = [str(obj) for obj in objs]
        return names, {self.opts.verbose_name_plural: len(names)}, set(), []

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The form; somebody else may have been quicker since it was filled in."""
        return self._or_said(
            request, lambda: super(SubscriptionAdmin, self).changeform_view(request, *args, **kwargs)
        )

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The question before it is deleted, and the deletion."""
        return self._or_said(
            request, lambda: super(SubscriptionAdmin, self).delete_view(request, *args, **kwargs)
        )

    def _or_said(self, request: HttpRequest, do: Callable[[], HttpResponse]) -> HttpResponse:
        try:
            return do()
        except (RelayError, PyMongoError) as exc:
            self.message_user(request, _said(exc), messages.ERROR)
            return redirect("admin:subscribers_app_subscription_changelist")

    @admin.action(description="Pause: hand out nothing for a while", permissions=["change"])
    def pause(self, request: HttpRequest, queryset: Any) -> None:
        """What is leased may be confirmed still."""
        self._each(request, queryset, "paused", registration.pause)

    @admin.action(description="Resume: hand out again, from where it stands", permissions=["change"])
    def resume(self, request: HttpRequest, queryset: Any) -> None:
        """To go on from elsewhere, seek first."""
        self._each(request, queryset, "resumed", registration.resume)

    @admin.action(description="Seek: go on from another place", permissions=["change"])
    def seek(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        """What that would mean is shown first."""
        is_asked = "_try" in request.POST or "_do" in request.POST
        form = SeekForm(request.POST if is_asked else None, label_suffix="")
        rows, tried = list(queryset.order_by("name")), []
        if is_asked and form.is_valid():
            to = form.cleaned_data["to"]
            if "_do" in request.POST:
                self._each(request, queryset, "moved", lambda row: seeking.seek(row, to))
                return None
            try:
                tried = [(row, seeking.seek(row, to, dry_run=True)) for row in rows]
            except (RelayError, PyMongoError) as exc:
                form.add_error(None, _said(exc))
        context = {
            **self.admin_site.each_context(request),
            "title": "Go on from another place",
            "opts": self.opts,
            "form": form,
            "rows": rows,
            "tried": [(row, decisions.said(sought)) for row, sought in tried],
            "then": [(name, request.POST.get(name, "")) for name in ("to", "to_time", "to_position")],
        }
        return TemplateResponse(request, "admin/subscribers_app/subscription/seek.html", context)

    def _each(
        self, request: HttpRequest, queryset: Any, verb: str, do: Callable[[Subscription], Any]
    ) -> None:
        done = 0
        for row in queryset.order_by("pk"):
            try:
                do(row)
            except (RelayError, PyMongoError) as exc:
                self.message_user(request, f"{row.name}: {_said(exc)}", messages.ERROR)
            else:
                self.log_change(request, row, f"{verb.capitalize()}.")
                done += 1
        if done:
            text = f"{done} subscription{'' if done == 1 else 's'} {verb}."
            self.message_user(request, text, messages.SUCCESS)


def _said(exc: Exception) -> str:
    if isinstance(exc, RelayError):
        return str(exc)
    log.warning("a subscription is not changed: %s", one_line(exc))
    return _AWAY
