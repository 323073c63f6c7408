"""Django's view of this package."""

from django.apps import AppConfig


class SubscribersConfig(AppConfig):
    """Who reads, and how far."""

    name = "subscribers_app"
    label = "subscribers_app"
    verbose_name = "Subscriptions"
    default_auto_field = "django.db.models.BigAutoField"
