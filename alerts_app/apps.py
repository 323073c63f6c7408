"""Django's view of this package."""

from django.apps import AppConfig


class AlertsConfig(AppConfig):
    """What aggregates."""

    name = "alerts_app"
    label = "alerts_app"
    verbose_name = "Alerts"
    default_auto_field = "django.db.models.BigAutoField"
