"""What clients may send, and what a channel looks like to them."""

from typing import Any, Final

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.reverse import reverse

from channels_app.models import LEAST_RETENTION_SECONDS, MOST_RETENTION_SECONDS
from channels_app.ranges import row
from channels_app.report import Report, why_not_heard
from channels_app.shortening import Shortened
from relaybase.http.addresses import quoted
from relaybase.http.fields import Flag, Strict, Text, Whole
from relaybase.rates import Recent
from relaycore.live.broadcasts import MOST_CHARACTERS, check_event
from relaycore.policy import CONTENT, EVERY, Policy, parse

MOST_STARTED: Final = 1000
"""Channels in one request."""


class Deduplicate(serializers.Field):  # type: ignore[type-arg]
    """A deduplication policy."""

    def to_internal_value(self, data: Any) -> Policy:
        """Validate; BadPolicy says by itself which field is meant."""
        return parse(data)


class Retention(Whole):
    """Seconds, or null."""

    def __init__(self, **options: Any) -> None:
        options |= {"min_value": LEAST_RETENTION_SECONDS, "max_value": MOST_RETENTION_SECONDS}
        super().__init__(allow_null=True, **options)


class Broadcast(Text):
    """The name of an event, or null."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_null=True, trim_whitespace=False, max_length=MOST_CHARACTERS, **options)

    def run_validation(self, data: Any = serializers.empty) -> str:
        """As it is kept: none is the empty one. BadBroadcast says by itself which field is meant."""
        name: str | None = super().run_validation(data)
        return check_event(name) if name else ""


class Start(Strict):
    """The body of start-listening. `initial` is what the browser's form proposes."""

    channel = Text(trim_whitespace=False, allow_blank=True, required=False, initial="orders")
    channels = serializers.ListField(
        child=Text(trim_whitespace=False, allow_blank=True),
        allow_empty=False,
        max_length=MOST_STARTED,
        required=False,
    )
    deduplicate = Deduplicate(default=CONTENT, initial=CONTENT.as_json())
    retention_seconds = Retention(default=None)

    def get_initial(self) -> dict[str, Any]:
        """The form proposes one."""
        return {name: value for name, value in super().get_initial().items() if name != "channels"}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One channel, or several."""
        if ("channel" in attrs) is ("channels" in attrs):
            raise serializers.ValidationError({"channel": ["Give one channel, or a list of channels."]})
        return attrs


class New(Strict):
    """The body of a POST of channels. Nobody listens, unless that is said; then each publish is stored."""

    channel = Text(trim_whitespace=False, allow_blank=True, initial="orders")
    listen = Flag(default=False, initial=False)
    deduplicate = Deduplicate(required=False, initial=EVERY.as_json())
    retention_seconds = Retention(default=None)
    republish = Flag(default=True, initial=True)
    public = Flag(default=False, initial=False)
    broadcast = Broadcast(default=None, initial=None)


class Change(Strict):
    """The body of a PATCH: some of them."""

    listen = Flag(required=False)
    deduplicate = Deduplicate(required=False, initial=CONTENT.as_json())
    retention_seconds = Retention(required=False)
    republish = Flag(required=False)
    public = Flag(required=False)
    broadcast = Broadcast(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Not nothing."""
        if not attrs:
            raise serializers.ValidationError(f"Say what to change: {', '.join(self.fields)}.")
        return attrs


class Rows:
    """Channels as JSON, with addresses for this request."""

    def __init__(self, request: Request) -> None:
        self._channels = reverse("channels", request=request)
        self._messages = reverse("messages", request=request)

    def address(self, name: str) -> str:
        """Where the channel is."""
        return f"{self._channels}/{quoted(name)}"

    def row(self, report: Report) -> dict[str, Any]:
        """One channel."""
        channel, lease = report.channel, report.listener
        complete = report.completeness
        is_active = report.status == channel.Status.ACTIVE
        return {
            "id": channel.pk,
            "channel": channel.channel,
            "listen": channel.listen,
            "subscription_status": report.status,
            "deduplicate": channel.deduplicate,
            "retention_seconds": channel.retention_seconds,
            "shortened": _shortened(report.shortened),
            "republish": channel.republish,
            "public": channel.public,
            "broadcast": channel.broadcast or None,
            "partition": channel.partition,
            "created_at": channel.created_at,
            "updated_at": channel.updated_at,
            "why_not_heard": None if is_active or not channel.listen else why_not_heard(channel, lease),
            "active_since": channel.active_since if is_active else None,
            "complete_since": complete.since,
            "open_gap": complete.open_gap and row(complete.open_gap),
            "listener": lease
            and {
                "host": lease.host,
                "pid": lease.pid,
                "task_id": lease.task_id,
                "epoch": lease.epoch,
                "since": lease.claimed_at,
            },
            "watching": report.watching,
            "messages_stored": report.stored.messages,
            "last_message_at": report.stored.last_at,
            "recent": report.recent and _recent(report.recent),
            "url": self.address(channel.channel),
            "messages_url": f"{self._messages}?channel={quoted(channel.channel)}",
        }


def _shortened(shortened: Shortened | None) -> dict[str, Any] | None:
    if shortened is None:
        return None
    return {
        "before": shortened.before,
        "deletes_at": shortened.deletes_at,
        "messages": shortened.messages,
    }


def _recent(recent: Recent) -> dict[str, Any]:
    """What was stored lately. A rate has three digits that mean something."""
    return {
        window: {"messages": count.messages, "per_second": float(f"{count.per_second:.3g}")}
        for window, count in (("minute", recent.minute), ("hour", recent.hour), ("day", recent.day))
    }
