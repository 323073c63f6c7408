"""The quarantine in Django's admin: why, what, and what may be done with it."""

import logging
from typing import Any

import redis
from bson import ObjectId
from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString

from messages_app import setting_aside
from messages_app.models import Quarantined
from messages_app.searching.rows import as_text
from messages_app.writing import retrying
from relaybase.connections import mongo_collection
from relaybase.pages import pretty
from relaybase.pages.filters import size
from relaybase.pages.readonly import ReadOnlyAdmin
from relaycore.errors import one_line

log = logging.getLogger(__name__)


class EstimatedPaginator(Paginator):  # type: ignore[type-arg]
    """Never counts all: the number comes from MongoDB's own estimate, or ends at a thousand."""

    @cached_property
    def count(self) -> int:
        """How many rows, about."""
        rows: Any = self.object_list
        if not rows.query.where:
            return mongo_collection("quarantine").estimated_document_count()
        return len(rows.order_by().values_list("pk")[:1000])


class AcknowledgedFilter(admin.SimpleListFilter):
    """What somebody knows of, or nobody yet."""

    title = "acknowledged"
    parameter_name = "acknowledged"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[Any]:
        """The choices."""
        return [("no", "not yet"), ("yes", "yes")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Those of one kind."""
        known = {"no": True, "yes": False}.get(str(self.value()))
        return queryset if known is None else queryset.filter(acknowledged_at__isnull=known)


@admin.register(Quarantined)
class QuarantinedAdmin(ReadOnlyAdmin):
    """What could not be stored, why, and a way back."""

    list_display = ("quarantined", "channel", "reason", "of_size", "preview", "sent_again")
    list_per_page = 50
    ordering = ("-quarantined_at",)
    sortable_by = ()
    search_fields = ("channel__exact",)
    search_help_text = "The whole name of a channel."
    paginator = EstimatedPaginator
    actions = ("retry", "acknowledge", "discard")
    list_filter = (AcknowledgedFilter,)
    fields = (
        *(
            "channel",
            "reason",
            "can_be_retried",
            "sent_again",
            "of_size",
            "received_at",
            "quarantined",
            "acknowledged_at",
        ),
        *("position", "published_by", "of_type", "attributes"),
    )
    change_form_template = "admin/messages_app/quarantined/change_form.html"

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Whoever may change entries; nobody may change them by hand."""
        return request.user.has_perm("messages_app.change_quarantined")

    def has_discard_permission(self, request: HttpRequest) -> bool:
        """Whoever may delete entries."""
        return request.user.has_perm("messages_app.delete_quarantined")

    @admin.action(description="Acknowledge: the home page warns of them no more", permissions=["retry"])
    def acknowledge(self, request: HttpRequest, queryset: Any) -> None:
        """They stay where they are."""
        self._say(request, setting_aside.acknowledge(queryset), "acknowledged")

    @admin.action(description="Discard: delete the selected messages for ever", permissions=["discard"])
    def discard(self, request: HttpRequest, queryset: Any) -> None:
        """Nothing brings them back."""
        self._say(request, setting_aside.discard(queryset), "discarded")

    def _say(self, request: HttpRequest, count: int, what: str) -> None:
        text = f"{count} message{'' if count == 1 else 's'} {what}."
        self.message_user(request, text, messages.SUCCESS)

    @admin.action(description="Retry: put the selected messages back on the stream", permissions=["retry"])
    def retry(self, request: HttpRequest, queryset: Any) -> None:
        """Each by itself; what cannot be retried says why."""
        done = retrying.put_back(queryset)
        if done.sent:
            self.message_user(request, done.said, messages.SUCCESS)
        for refusal in done.refusals:
            self.message_user(request, refusal, messages.ERROR)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """One entry, with its payload, and a button that puts it back."""
        entry = self.get_object(request, object_id) if ObjectId.is_valid(object_id) else None
        if entry is None:
            raise Http404("There is nothing with this id in quarantine.")
        if request.method == "POST" and self._decide(request, entry):
            return HttpResponseRedirect(reverse("admin:messages_app_quarantined_changelist"))
        kind, html = pretty.payload(as_text(bytes(entry.payload)))
        context = {
            "kind": kind,
            "html": html,
            "is_cut": len(entry.payload) < entry.size or pretty.is_cut(as_text(bytes(entry.payload))),
            "obstacle": retrying.obstacle(entry),
            "can_retry": self.has_retry_permission(request),
            "can_discard": self.has_discard_permission(request),
            "title": "In quarantine",
            "subtitle": None,
        }
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **context})

    def _decide(self, request: HttpRequest, entry: Quarantined) -> bool:
        """Do what the button says; whether it was one that this user has."""
        one = Quarantined.objects.filter(pk=entry.pk)
        if "_discard" in request.POST:
            if self.has_discard_permission(request):
                self.discard(request, one)
            return self.has_discard_permission(request)
        if not self.has_retry_permission(request):
            return False
        if "_acknowledge" in request.POST:
            self.acknowledge(request, one)
        else:
            self.retry(request, one)
        return True

    @admin.display(description="set aside at", ordering="quarantined_at")
    def quarantined(self, entry: Quarantined) -> str:
        """When, in UTC."""
        return f"{entry.quarantined_at:%Y-%m-%d %H:%M:%S}"

    @admin.display(description="size", ordering="size")
    def of_size(self, entry: Quarantined) -> str:
        """Of the whole payload."""
        return size(entry.size)

    @admin.display(description="payload")
    def preview(self, entry: Quarantined) -> SafeString:
        """Its beginning."""
        text = as_text(bytes(entry.payload)[:200])
        shown = pretty.visible(text[:100]) if isinstance(text, str) else text[:24].hex(" ")
        return format_html("<code>{}</code>", shown)

    @admin.display(description="published by")
    def published_by(self, entry: Quarantined) -> str | None:
        """The token's name; nothing where it was heard."""
        return entry.produced_by and pretty.visible(entry.produced_by)

    @admin.display(description="content type")
    def of_type(self, entry: Quarantined) -> str | None:
        """As its publisher said."""
        return entry.content_type and pretty.visible(entry.content_type)

    @admin.display(description="retry")
    def can_be_retried(self, entry: Quarantined) -> str:
        """Or why not."""
        return retrying.obstacle(entry) or "possible"

    @admin.display(description="sent again")
    def sent_again(self, entry: Quarantined) -> str:
        """What has become of it since; nothing if it was not sent again, or was refused since."""
        try:
            return retrying.progress(entry)
        except redis.RedisError as exc:
            log.warning("nobody knows what has become of a message that was sent again: %s", one_line(exc))
            return "It was sent again. Redis does not say what has become of it."
