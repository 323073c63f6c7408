"""Django's view of this package."""

from django.apps import AppConfig


class EventsConfig(AppConfig):
    """What Relay tells of itself."""

    name = "events_app"
    verbose_name = "Events"
    default_auto_field = "django.db.models.BigAutoField"
