"""Rules in Django's admin."""

from alerts_app.admin import rules

__all__ = ["rules"]
