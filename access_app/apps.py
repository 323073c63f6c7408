"""Django's view of this package."""

from django.apps import AppConfig


class AccessConfig(AppConfig):
    """Tokens and the audit log, in PostgreSQL."""

    name = "access_app"
    verbose_name = "Access"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Put on record who gets which permissions."""
        from access_app import granting  # noqa: PLC0415

        granting.watch()
