"""Django's view of this package."""

from django.apps import AppConfig


class ChannelsConfig(AppConfig):
    """The channel table, in PostgreSQL."""

    name = "channels_app"
    verbose_name = "Channels"
