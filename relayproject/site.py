"""The admin's site: Relay's home page, and its parts in the order in which they are used."""

from typing import Any, Final

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path

from relayproject.dashboard import views

_ORDER: Final = (
    "channels_app",
    "messages_app",
    "subscribers_app",
    "webhooks_app",
    "alerts_app",
    "leases_app",
    "access_app",
    "django_celery_beat",
)


class RelaySite(AdminSite):
    """What an operator sees."""

    site_header = site_title = "Relay"
    index_title = "Home"
    site_url = "/api/v1/"

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """With the address that the home page refreshes from."""
        state = path("state/", self.admin_view(views.state), name="state")
        return [state, *super().get_urls()]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """The home page."""
        return super().index(request, {**views.first(request), **(extra_context or {})})

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Channels first, accounts last."""
        place = {label: at for at, label in enumerate(_ORDER)}
        apps = super().get_app_list(request, app_label)
        return sorted(apps, key=lambda app: place.get(app["app_label"], len(place)))
