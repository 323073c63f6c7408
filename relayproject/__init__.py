"""Relay's wiring: settings, the task queue, addresses, connections, the one-command stack."""

from relayproject.celery import app as celery_app

__all__ = ["celery_app"]
