"""Messages and quarantine in Django's admin, a module each."""

from messages_app.admin import quarantine, stored

__all__ = ["quarantine", "stored"]
