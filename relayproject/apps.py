"""Django's view of this package."""

from django.apps import AppConfig


class RelayConfig(AppConfig):
    """Commands and checks."""

    name = "relayproject"
    verbose_name = "Relay"

    def ready(self) -> None:
        """Register the checks."""
        from relayproject import checks  # noqa: F401, PLC0415
