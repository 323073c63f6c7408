"""Channels in Django's admin: adding one starts it, deleting one stops it, and its messages stay."""

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from channels_app import registration, report, shortening
from channels_app.admin import gaps
from channels_app.admin.forms import SETTINGS, ChannelForm
from channels_app.models import Channel, ChannelQuerySet
from channels_app.report import Report
from channels_app.shortening import Shortened
from relaybase.pages.filters import ago, span
from relaybase.pages.long_list import LongListPaginator
from relaybase.rates import Recent
from relaycore.errors import RelayError

SHOWN = (
    "goes",
    "status",
    "listener",
    "why_not",
    "partition",
    "heard_since",
    "complete_since",
    "watching",
    "stored",
    "minute",
    "hour",
    "day",
    "last_message",
    "created_at",
    "updated_at",
)


class StatusFilter(admin.SimpleListFilter):
    """By the live status, which is not the column."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[Any]:
        """The choices."""
        return list(Channel.Status.choices)

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Those of one status."""
        status = self.value()
        return queryset.in_status(status) if status in Channel.Status.values else queryset


@admin.register(Channel)
class ChannelAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """All changes go through `registration`, so that the listeners learn of them."""

    list_display = ("channel", "status", "messages", "minute", "hour", "kept", "last_message", "why_not")
    search_fields = ("channel",)
    list_per_page = 50
    show_full_result_count = False
    paginator = LongListPaginator
    form = ChannelForm
    actions = ("start_again",)

    def get_queryset(self, request: HttpRequest) -> ChannelQuerySet:
        """With the live status."""
        return Channel.objects.with_status()

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        """Partitions are not a matter where there is one."""
        return [StatusFilter, "listen", *(["partition"] if settings.RELAY_PARTITIONS > 1 else [])]

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The page, with what is known of its channels, asked for all of them at once."""
        changelist = super().get_changelist_instance(request)
        # Django looks for all once more where all fit into a page.
        found = changelist.result_list if changelist.multi_page else changelist.paginator.page(1).object_list
        rows: Any = list(found)
        changelist.result_list = rows
        _learn(rows)
        return changelist

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """One channel, with the same."""
        found = super().get_object(request, object_id, from_field)
        if found is not None:
            _learn([found], count=True)
        return found

    def get_fields(self, request: HttpRequest, obj: Channel | None = None) -> Any:
        """Who hears it, or why nobody does. A new channel has nothing to show yet."""
        if obj is None:
            return ("channel", *SETTINGS)
        left_out = {"listener", "why_not", "heard_since"} if not obj.listen else {"listener"}
        if obj.status == Channel.Status.ACTIVE:
            left_out = {"why_not"}
        shortened = report_of(obj).shortened
        if shortened is None or shortened.messages == 0:
            left_out.add("goes")
        # A page that is only looked at says nothing back.
        seen = ["seen"] if self.has_change_permission(request, obj) else []
        return ["channel", *SETTINGS, *seen, *(name for name in SHOWN if name not in left_out)]

    def get_readonly_fields(self, request: HttpRequest, obj: Channel | None = None) -> tuple[str, ...]:
        """A row is never renamed: the name is what is stored under."""
        return ("channel", *SHOWN) if obj else ()

    @admin.display(ordering="status")
    def status(self, channel: Any) -> SafeString:
        """Heard at this moment, or not; or nobody is asked to listen."""
        if not channel.listen:
            return format_html('<span class="pill">{}</span>', "not listened to")
        look = "good" if channel.status == Channel.Status.ACTIVE else "warn"
        return format_html('<span class="pill {}">{}</span>', look, channel.status)

    @admin.display(description="why not heard", empty_value="")
    def why_not(self, channel: Any) -> str:
        """Empty where it is."""
        heard = channel.status == Channel.Status.ACTIVE or not channel.listen
        return "" if heard else report.why_not_heard(channel, channel.known.listener)

    @admin.display
    def listener(self, channel: Any) -> str:
        """Who hears it."""
        lease = channel.known.listener
        return f"{lease.host}, pid {lease.pid}" if lease else ""

    @admin.display(description="active since", empty_value="")
    def heard_since(self, channel: Any) -> str:
        """Empty while it is not: the column speaks of the last leader that was there."""
        is_heard = channel.status == Channel.Status.ACTIVE and channel.active_since is not None
        return f"{channel.active_since:%Y-%m-%d %H:%M:%S}" if is_heard else ""

    @admin.display(description="complete since")
    def complete_since(self, channel: Any) -> SafeString:
        """From here on nothing was missed; the way to the gaps."""
        return gaps.link(channel.channel, channel.known.completeness)

    @admin.display(description="stored")
    def messages(self, channel: Any) -> str:
        """How many messages are stored."""
        return _number(channel.known.stored.messages)

    @admin.display(description="last minute")
    def minute(self, channel: Any) -> str:
        """Messages stored lately."""
        return _lately(channel.known.recent, "minute")

    @admin.display(description="last hour")
    def hour(self, channel: Any) -> str:
        """Messages stored lately."""
        return _lately(channel.known.recent, "hour")

    @admin.display(description="last day")
    def day(self, channel: Any) -> str:
        """Messages stored lately."""
        return _lately(channel.known.recent, "day")

    @admin.display(description="kept for", ordering="retention_seconds")
    def kept(self, channel: Channel) -> str:
        """How old a message becomes."""
        return "ever" if channel.retention_seconds is None else span(channel.retention_seconds)

    @admin.display(description="goes soon")
    def goes(self, channel: Any) -> SafeString:
        """What a shorter time is going to delete, and until when that can be taken back."""
        return _goes(channel.known.shortened)

    @admin.display(description="last message")
    def last_message(self, channel: Any) -> SafeString | str:
        """When the newest one came; the way to all of them."""
        last_at = channel.known.stored.last_at
        if last_at is None:
            return "–"
        address = (
            reverse("admin:messages_app_message_changelist") + "?" + urlencode({"channel": channel.channel})
        )
        exact = f"{last_at:%Y-%m-%d %H:%M:%S} UTC"
        return format_html('<a href="{}" title="{}">{}</a>', address, exact, ago(last_at))

    @admin.display(description="deduplicate")
    def policy(self, channel: Channel) -> str:
        """As a word."""
        return str(channel.policy)

    @admin.display(description="watching live")
    def watching(self, channel: Any) -> str:
        """How many, in all processes."""
        count = channel.known.watching
        return "unknown: Redis does not answer" if count is None else f"{count:,}"

    @admin.display(description="messages stored")
    def stored(self, channel: Any) -> str:
        """As the writers count."""
        count = channel.known.stored.messages
        return "unknown: Redis does not answer" if count is None else f"{count:,}"

    def save_model(self, request: HttpRequest, obj: Channel, form: Any, change: bool) -> None:
        """Start the channel, or change what was changed in the form."""
        if not change:
            flags = {name: getattr(obj, name) for name in ("listen", "republish", "public", "broadcast")}
            obj.pk = registration.start(obj.channel, obj.policy, obj.retention_seconds, **flags).pk
        elif changed := form.changed:
            seen = {name: form.was[name] for name in changed}
            channel = registration.change(obj.channel, seen=seen, **changed)
            self._say_what_goes(request, channel)

    def _say_what_goes(self, request: HttpRequest, channel: Channel) -> None:
        goes = shortening.counted(channel, Channel.objects.now())
        if goes is not None and goes.messages != 0:
            self.message_user(request, _goes(goes), messages.WARNING)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The form; somebody else may have been quicker since it was filled in."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except RelayError as exc:
            return self._overtaken(request, exc)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The question before a channel is deleted, and the deletion."""
        try:
            return super().delete_view(request, *args, **kwargs)
        except RelayError as exc:
            return self._overtaken(request, exc)

    def _overtaken(self, request: HttpRequest, exc: RelayError) -> HttpResponse:
        self.message_user(request, str(exc), messages.ERROR)
        return redirect("admin:channels_app_channel_changelist")

    def delete_model(self, request: HttpRequest, obj: Channel) -> None:
        """Stop the channel."""
        registration.stop(obj.channel)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """Stop these channels."""
        registration.stop_all(queryset)

    @admin.action(description="Start again: have the listeners look at selected channels now")
    def start_again(self, request: HttpRequest, queryset: Any) -> None:
        """For a channel that should be heard and is not."""
        if registration.wake(queryset.filter(listen=True).values_list("partition", "channel")):
            self.message_user(request, "The listeners look at these channels now.", messages.SUCCESS)
        else:
            text = "Redis does not answer. The listeners will look by themselves a little later."
            self.message_user(request, text, messages.WARNING)


def report_of(channel: Any) -> Report:
    """What `_learn` has found out of it."""
    known: Report = channel.known
    return known


def _goes(shortened: Shortened) -> SafeString:
    count = "What is older" if shortened.messages is None else f"{shortened.messages:,} older messages"
    before = "for ever" if shortened.before is None else f"for {span(shortened.before)}"
    return format_html(
        "{} will be deleted from {} UTC on. Until then, keep messages {} again, and nothing is deleted.",
        count,
        f"{shortened.deletes_at:%H:%M:%S}",
        before,
    )


def _number(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _lately(recent: Recent | None, window: str) -> str:
    return _number(None if recent is None else getattr(recent, window).messages)


def _learn(channels: Any, *, count: bool = False) -> None:
    """Give each channel what the columns show, with one question to each server."""
    for channel, known in zip(channels, report.reports(channels, count=count), strict=True):
        channel.known = known
