"""Channels in Django's admin: adding one starts it, deleting one stops it."""

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import OuterRef, Subquery, TextField, Value
from django.db.models.functions import Concat
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from channels_app import registration, report
from channels_app.models import Channel, ChannelQuerySet
from leases_app.models import Lease
from relaycore.errors import RelayError

SHOWN = ("status", "partition", "active_since", "listener", "stored", "created_at", "updated_at")


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

    list_display = ("channel", "status", "partition", "policy", "active_since", "listener")
    list_filter = (StatusFilter, "partition")
    search_fields = ("channel",)
    show_full_result_count = False
    fields = ("channel", "deduplicate", *SHOWN)
    actions = ("stop", "start_again")

    def get_queryset(self, request: HttpRequest) -> ChannelQuerySet:
        """With the live status, and who listens."""
        lease = Lease.objects.live().filter(role=Lease.Role.LISTENER, partition=OuterRef("partition"))
        listener = lease.values_list(Concat("host", Value(", pid "), "pid", output_field=TextField()))[:1]
        return Channel.objects.with_status().annotate(listener=Subquery(listener))

    def get_fields(self, request: HttpRequest, obj: Channel | None = None) -> Any:
        """A new channel has nothing to show yet."""
        return self.fields if obj else ("channel", "deduplicate")

    def get_readonly_fields(self, request: HttpRequest, obj: Channel | None = None) -> tuple[str, ...]:
        """A row is never renamed: the name is what is stored under."""
        return ("channel", *SHOWN) if obj else ()

    @admin.display(ordering="status")
    def status(self, channel: Any) -> str:
        """Heard at this moment, or not."""
        return str(channel.status)

    @admin.display(ordering="listener")
    def listener(self, channel: Any) -> str:
        """Who listens."""
        return channel.listener or "nobody"

    @admin.display(description="deduplicate")
    def policy(self, channel: Channel) -> str:
        """As a word."""
        return str(channel.policy)

    @admin.display(description="messages stored")
    def stored(self, channel: Channel) -> str:
        """As the writers count."""
        found = report.stored([channel]).get(channel.channel)
        return "unknown: Redis does not answer" if found is None else str(found.messages)

    def save_model(self, request: HttpRequest, obj: Channel, form: Any, change: bool) -> None:
        """Start the channel, or change its policy."""
        if change:
            registration.change(obj.channel, obj.policy)
        else:
            obj.pk = registration.start(obj.channel, obj.policy).pk

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

    @admin.action(description="Stop listening to selected channels", permissions=["delete"])
    def stop(self, request: HttpRequest, queryset: Any) -> None:
        """Delete without asking: what is stored stays, and a channel is soon started again."""
        with transaction.atomic():
            self.log_deletions(request, queryset)
            stopped = registration.stop_all(queryset)
        self.message_user(request, f"Stopped listening to {stopped} channels.", messages.SUCCESS)

    @admin.action(description="Start again: have the listeners look at selected channels now")
    def start_again(self, request: HttpRequest, queryset: Any) -> None:
        """For a channel that should be heard and is not."""
        if registration.wake(queryset.values_list("partition", "channel")):
            self.message_user(request, "The listeners look at these channels now.", messages.SUCCESS)
        else:
            text = "Redis does not answer. The listeners will look by themselves a little later."
            self.message_user(request, text, messages.WARNING)
