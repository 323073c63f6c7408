"""The Django application."""

from django.apps import AppConfig


class CompatAppConfig(AppConfig):
    """Doors for clients of other products."""

    default_auto_field = "django.db.models.BigAutoField"
    name = "compat_app"
    verbose_name = "Other doors"
