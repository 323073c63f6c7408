"""Celery workers and beat as processes of their own: what ends them, and what must not."""
