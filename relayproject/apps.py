"""Django's view of this package."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class RelayConfig(AppConfig):
    """Commands and checks."""

    default = True
    name = "relayproject"
    verbose_name = "Relay"

    def ready(self) -> None:
        """Make Celery's application the one of every task, register the checks, load the extras asked for.

        And what one app knows and another one shows.
        """
        from channels_app import readers, shortening  # noqa: PLC0415
        from messages_app.writing import retention  # noqa: PLC0415
        from relayproject import celery, checks  # noqa: F401, PLC0415
        from relayproject.observing import extras  # noqa: PLC0415
        from subscribers_app import registration  # noqa: PLC0415

        shortening.ask(retention.count_older)
        readers.remove_by(registration.delete_of_channels)
        extras.begin_sentry()
        # Here only loaded: a missing package is said at once, and what a worker forks shares the modules.
        extras.load_traces()


class AdminConfig(admin_apps.AdminConfig):
    """Django's admin, with Relay's site."""

    default = False
    default_site = "relayproject.site.RelaySite"
