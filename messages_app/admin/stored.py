"""Messages in Django's admin, to look at."""

import logging
from typing import Any, Final
from urllib.parse import urlencode

import redis
from bson import ObjectId
from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from pymongo.errors import PyMongoError

from messages_app.admin import between
from messages_app.models import Message
from messages_app.searching import history, previews
from messages_app.searching.history import Page, PageCursor, Search
from relaybase.pages import pretty
from relaybase.pages.readonly import ReadOnlyAdmin
from relaycore.errors import Disconnected, SearchTooSlow, UnfitServer
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
        """A page of previews, and the gaps between them for whoever may see gaps."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        finder = Finder(request.GET, label_suffix="")
        page, channels, rows = Page([], None, False, None, None), [], list[between.Row]()
        if finder.is_valid():
            try:
                page, since, until = _page(finder.cleaned_data)
                rows = [between.Row(message=message) for message in page.messages]
                if request.user.has_perm("channels_app.view_gap"):
                    rows = between.rows(finder.cleaned_data["channel"], page.messages, since, until)
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
            "rows": rows,
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


def _page(given: dict[str, Any]) -> tuple[Page, str | None, str | None]:
    """The previews that were asked for, the newest first, and the positions between which they lie."""
    if not given["channel"]:
        newest = previews.newest()
        return Page(newest, None, False, None, None), newest[-1]["position"] if newest else None, None
    search = Search(given["channel"], given["since"], given["until"], given["contains"] or None)
    position = given["above"] or given["below"]
    cursor = PageCursor(position, back=bool(given["above"])) if position else None
    page = history.read(search, limit=previews.PAGE, cursor=cursor, projection=previews.PREVIEW)
    return page, *history.extent(search, cursor, page)


def _link(finder: Finder, **position: str | None) -> str:
    """The address of the page beside this one; empty where there is none."""
    if None in position.values():
        return ""
    given = {name: value for name, value in finder.data.items() if name not in _POSITIONS}
    return "?" + urlencode(given | {name: value for name, value in position.items() if value})


def _is_deep(finder: Finder) -> bool:
    return any(finder.data.get(name) for name in _POSITIONS)
