"""Endpoints in Django's admin."""

from webhooks_app.admin import endpoints

__all__ = ["endpoints"]
