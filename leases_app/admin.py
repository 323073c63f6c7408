"""Leases in Django's admin, to look at: who leads each partition, and since when."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import display_for_value
from django.db.models import DurationField, ExpressionWrapper, F
from django.http import HttpRequest

from leases_app.models import Lease, LeaseQuerySet
from relaybase.pages.readonly import ReadOnlyAdmin
from relaybase.postgres.clock import ClockTimestamp


@admin.register(Lease)
class LeaseAdmin(ReadOnlyAdmin):
    """A lease is taken and let go by its holder alone, and never deleted: the epoch must not begin again."""

    list_display = (
        "role",
        "partition",
        "slot",
        "is_live",
        "hears",
        "waits",
        "trouble",
        "place",
        "epoch",
        "heartbeat_age",
        "given_up",
    )
    list_filter = ("role",)
    search_fields = ("host", "task_id")

    def get_queryset(self, request: HttpRequest) -> LeaseQuerySet:
        """With what PostgreSQL's clock says: this host's may differ."""
        return Lease.objects.described().annotate(
            heartbeat_age=ExpressionWrapper(
                ClockTimestamp() - F("heartbeat_at"), output_field=DurationField()
            ),
        )

    def get_fields(self, request: HttpRequest, obj: Lease | None = None) -> Any:
        """Everything, in the order of the list."""
        return (*self.list_display, "heard_at", "claimed_at", "task_id", "holder")

    @admin.display(description="waiting", ordering="waiting")
    def waits(self, lease: Lease) -> str:
        """With a plus where there may be more, of which its holder has not taken anything."""
        return f"{lease.waiting}{'' if lease.is_exact else '+'}"

    @admin.display(boolean=True, description="live", ordering="is_live")
    def is_live(self, lease: Lease) -> bool:
        """Held, and renewed within the time to live."""
        return bool(lease.is_live)

    @admin.display(description="where", ordering="host")
    def place(self, lease: Lease) -> str:
        """Where its holder runs, or ran."""
        return f"{lease.host}, pid {lease.pid}" if lease.host else ""

    @admin.display(description="hears", ordering="heard_at")
    def hears(self, lease: Lease) -> str:
        """Proven to hear within the last seconds; only of who leads the listeners."""
        if lease.role != Lease.Role.LISTENER:
            return "–"
        return str(display_for_value(bool(lease.hears), "", boolean=True))

    @admin.display(description="last heartbeat", ordering="heartbeat_at")
    def heartbeat_age(self, lease: Any) -> str | None:
        """How long ago the holder renewed it."""
        age: timedelta | None = lease.heartbeat_age
        return None if age is None else f"{age.total_seconds():.1f} s ago"
