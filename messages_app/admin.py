"""Messages and quarantine in Django's admin: to look at, and to put back what was set aside."""

import logging
from typing import Any, Final
from urllib.parse import urlencode

import redis
from bson import ObjectId
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from pymongo.errors import PyMongoError

from messages_app.models import Message, Quarantined
from messages_app.searching import history, previews
from messages_app.searching.history import Page, PageCursor, Search
from messages_app.writing import retrying
from relaybase.connections import mongo_collection
from relaybase.pages import pretty
from relaybase.pages.filters import size
from relaybase.pages.readonly import ReadOnlyAdmin
from relaycore.errors import Disconnected, NotRetried, SearchTooSlow, UnfitServer
from relaycore.position import is_position

log = logging.getLogger(__name__)

_POSITIONS: Final = ("above", "below")


class Finder(forms.Form):
    """What to look for. Times are UTC, and become positions."""

    _moment = forms.DateTimeInput(format="%Y-%m-%dT%H:%M:%S", attrs={"type": "datetime-local", "step": "1"})

    channel = forms.CharField(required=False, strip=False)
    since = forms.DateTimeField(required=False, label="From (UTC)", widget=_moment)
    until = forms.DateTimeField(required=False, label="To (UTC)", widget=_moment)
    contains = forms.CharField(required=False, strip=False)
    above = forms.CharField(required=False, widget=forms.HiddenInput)
    below = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        """Text is searched within one channel; a position is one that a link of a page gave."""
        given: dict[str, Any] = super().clean() or {}
        if not given.get("channel") and any(given.get(name) for name in ("since", "until", "contains")):
            raise forms.ValidationError("Say in which channel.")
        for name in ("since", "until"):
            if given.get(name):
                try:
                    given[name] = history.at(given[name])
                except ValueError:
                    self.add_error(name, "Give a time from 1970 to 2286.")
        for name in _POSITIONS:
            if given.get(name) and not is_position(given[name]):
                raise forms.ValidationError("This page is not one that a link gave. Begin again without it.")
        return given


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    """Pages by position, from the index; nothing is counted."""

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """A page of previews."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        finder = Finder(request.GET, label_suffix="")
        page, channels = Page([], None, False, None, None), []
        if finder.is_valid():
            try:
                page = _page(finder.cleaned_data)
                channels = previews.recent_channels(20)
            except SearchTooSlow:
                finder.add_error("contains", "This took too long. Give a shorter time to search in.")
            except UnfitServer as exc:
                finder.add_error(None, str(exc))
            except (PyMongoError, redis.RedisError, Disconnected) as exc:
                log.warning("messages cannot be listed: %s", exc)
                finder.add_error(None, "A server does not answer. Try again in a moment.")
        context = {
            **self.admin_site.each_context(request),
            "title": "Messages",
            "opts": self.opts,
            "finder": finder,
            "page": page,
            "channels": channels,
            "newer": _link(finder, above=page.previous.position if page.previous else None),
            "older": _link(finder, below=page.next.position if page.next else None),
            "first": _link(finder, above="", below="") if _is_deep(finder) else "",
        }
        return TemplateResponse(request, "admin/messages_app/message/change_list.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """One message, its payload made readable."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        message = Message.objects.filter(pk=object_id).first() if ObjectId.is_valid(object_id) else None
        if message is None:
            raise Http404("There is no message with this id.")
        kind, html = pretty.payload(message.message)
        context = {
            **self.admin_site.each_context(request),
            "title": "Message",
            "opts": self.opts,
            "message": message,
            "kind": kind,
            "html": html,
            "is_cut": pretty.is_cut(message.message),
            # As pairs: in a template `.items` would be an attribute of that name.
            "attributes": list((message.attributes or {}).items()),
            "size": len(message.message if kind == "bytes" else message.message.encode()),
        }
        return TemplateResponse(request, "admin/messages_app/message/change_form.html", context)


def _page(given: dict[str, Any]) -> Page:
    """The previews that were asked for, the newest first."""
    if not given["channel"]:
        return Page(previews.newest(), None, False, None, None)
    search = Search(given["channel"], given["since"], given["until"], given["contains"] or None)
    position = given["above"] or given["below"]
    cursor = PageCursor(position, back=bool(given["above"])) if position else None
    return history.read(search, limit=previews.PAGE, cursor=cursor, projection=previews.PREVIEW)


def _link(finder: Finder, **position: str | None) -> str:
    """The address of the page beside this one; empty where there is none."""
    if None in position.values():
        return ""
    given = {name: value for name, value in finder.data.items() if name not in _POSITIONS}
    return "?" + urlencode(given | {name: value for name, value in position.items() if value})


def _is_deep(finder: Finder) -> bool:
    return any(finder.data.get(name) for name in _POSITIONS)


class EstimatedPaginator(Paginator):  # type: ignore[type-arg]
    """Never counts all: the number comes from MongoDB's own estimate, or ends at a thousand."""

    @cached_property
    def count(self) -> int:
        """How many rows, about."""
        rows: Any = self.object_list
        if not rows.query.where:
            return mongo_collection("quarantine").estimated_document_count()
        return len(rows.order_by().values_list("pk")[:1000])


@admin.register(Quarantined)
class QuarantinedAdmin(ReadOnlyAdmin):
    """What could not be stored, why, and a way back."""

    list_display = ("quarantined", "channel", "reason", "of_size", "preview")
    list_per_page = 50
    ordering = ("-quarantined_at",)
    sortable_by = ()
    search_fields = ("channel__exact",)
    search_help_text = "The whole name of a channel."
    paginator = EstimatedPaginator
    actions = ("retry",)
    fields = (
        *("channel", "reason", "can_be_retried", "of_size", "received_at", "quarantined", "position"),
        *("published_by", "of_type", "attributes"),
    )
    change_form_template = "admin/messages_app/quarantined/change_form.html"

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Whoever may change entries; nobody may change them by hand."""
        return request.user.has_perm("messages_app.change_quarantined")

    @admin.action(description="Retry: put the selected messages back on the stream", permissions=["retry"])
    def retry(self, request: HttpRequest, queryset: Any) -> None:
        """Each by itself; what cannot be retried says why."""
        put_back, refused = 0, []
        for entry in queryset:
            try:
                retrying.retry(entry)
            except NotRetried as exc:
                refused.append(str(exc))
            except redis.RedisError as exc:
                log.warning("a message in quarantine is not put back, Redis does not take it: %s", exc)
                refused.append("Redis does not take it. Try again in a moment.")
                break
            else:
                self.log_change(request, entry, "Put back on the stream.")
                put_back += 1
        if put_back:
            one = put_back == 1
            text = f"{put_back} message{'' if one else 's'} went back on the stream, and will be stored once."
            self.message_user(request, text, messages.SUCCESS)
        for why in dict.fromkeys(refused):
            self.message_user(request, f"Not retried ({refused.count(why)}): {why}", messages.ERROR)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """One entry, with its payload, and a button that puts it back."""
        entry = self.get_object(request, object_id) if ObjectId.is_valid(object_id) else None
        if entry is None:
            raise Http404("There is nothing with this id in quarantine.")
        if request.method == "POST" and self.has_retry_permission(request):
            self.retry(request, [entry])
            return HttpResponseRedirect(reverse("admin:messages_app_quarantined_changelist"))
        kind, html = pretty.payload(_text(bytes(entry.payload)))
        context = {
            "kind": kind,
            "html": html,
            "is_cut": len(entry.payload) < entry.size or pretty.is_cut(_text(bytes(entry.payload))),
            "obstacle": retrying.obstacle(entry),
            "can_retry": self.has_retry_permission(request),
            "title": "In quarantine",
            "subtitle": None,
        }
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **context})

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
        text = _text(bytes(entry.payload)[:200])
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


def _text(payload: bytes) -> str | bytes:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return payload
