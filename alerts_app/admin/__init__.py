"""Rules, silences, and alerts that senders repeat, in Django's admin."""

from alerts_app.admin import rules, silences

__all__ = ["rules", "silences"]
