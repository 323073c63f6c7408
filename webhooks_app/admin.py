"""Endpoints in the admin, to look at. Of secrets and headers nothing is shown."""

from django.contrib import admin

from relaybase.pages.readonly import ReadOnlyAdmin
from webhooks_app.models import Endpoint


@admin.register(Endpoint)
class EndpointAdmin(ReadOnlyAdmin):
    """Where webhooks go."""

    list_display = ("name", "owner", "url", "state", "reason", "breaker", "last_status", "last_attempt_at")
    list_filter = ("state", "confirmation")
    search_fields = ("name", "url")
    exclude = ("headers",)
