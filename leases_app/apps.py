"""Django's view of this package."""

from django.apps import AppConfig


class LeasesConfig(AppConfig):
    """Leases, in PostgreSQL."""

    name = "leases_app"
    verbose_name = "Leases"
