"""Gaps in Django's admin, to look at: when something was not heard, why, and how much was missed."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from channels_app.completeness import Completeness, concerning
from channels_app.models import Channel, Gap
from relaybase.pages.readonly import ReadOnlyAdmin


class OpenFilter(admin.SimpleListFilter):
    """Whether it goes on."""

    title = "open"
    parameter_name = "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[Any]:
        """The choices."""
        return [("true", "still open"), ("false", "over")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Those that are open, or those that are not."""
        value = self.value()
        return queryset if value is None else queryset.filter(ended_at__isnull=value == "true")


class TouchingFilter(admin.SimpleListFilter):
    """What touched one channel: where a channel's page links to."""

    title = "channel"
    parameter_name = "touching"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[Any]:
        """The one that was asked for: there may be thousands."""
        value = self.value()
        return [] if value is None else [(value, value)]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Its own gaps and those of its partition."""
        value = self.value()
        if value is None or "\0" in value:
            return queryset
        return queryset.filter(concerning(value, Channel.objects.filter(channel=value).first()))


@admin.register(Gap)
class GapAdmin(ReadOnlyAdmin):
    """When something could not be heard, why, and how much it may have been."""

    list_display = ("began", "ended", "partition", "of_channel", "cause", "missed", "covered")
    list_filter = (OpenFilter, "covered", "cause", "partition", TouchingFilter)
    search_fields = ("channel",)
    fields = list_display
    list_per_page = 50

    @admin.display(ordering="began_at")
    def began(self, gap: Gap) -> str:
        """To the millisecond."""
        return _exact(gap.began_at)

    @admin.display(ordering="ended_at", empty_value="not yet")
    def ended(self, gap: Gap) -> str | None:
        """To the millisecond."""
        return _exact(gap.ended_at) if gap.ended_at else None

    @admin.display(description="channel", ordering="channel")
    def of_channel(self, gap: Gap) -> str:
        """Or all of them."""
        return gap.channel or "every channel"

    @admin.display(description="missed at most", ordering="missed_at_most")
    def missed(self, gap: Gap) -> str:
        """An upper bound."""
        return "not known" if gap.missed_at_most is None else f"{gap.missed_at_most:,}"


def link(channel: str, found: Completeness) -> SafeString:
    """Since when a channel is complete, or what is open, with the way to all of its gaps."""
    address = reverse("admin:channels_app_gap_changelist") + "?" + urlencode({"touching": channel})
    if found.open_gap is not None:
        gap = found.open_gap
        said = f"not heard since {gap.began_at:%Y-%m-%d %H:%M:%S}: {Gap.Cause(gap.cause).label}"
    elif found.since is None:
        said = "not heard, and no gap is recorded yet"
    else:
        said = f"{found.since:%Y-%m-%d %H:%M:%S}"
    return format_html('{} (<a href="{}">gaps</a>)', said, address)


def _exact(when: datetime) -> str:
    return when.isoformat(" ", "milliseconds").removesuffix("+00:00")
