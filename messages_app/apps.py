"""Django's view of this package."""

from django.apps import AppConfig


class MessagesConfig(AppConfig):
    """Stored messages, in MongoDB."""

    name = "messages_app"
    label = "messages_app"
    verbose_name = "Messages"
    default_auto_field = "django_mongodb_backend.fields.ObjectIdAutoField"
