"""Subscriptions in Django's admin."""

from subscribers_app.admin import subscriptions

__all__ = ["subscriptions"]
