"""Django's view of this package."""

from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    """What pushes."""

    name = "webhooks_app"
    label = "webhooks_app"
    verbose_name = "Webhooks"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """There are subscriptions that are pushed."""
        from subscribers_app.kinds.kind import register  # noqa: PLC0415
        from webhooks_app.subscribing import Webhooks  # noqa: PLC0415

        register(Webhooks())
