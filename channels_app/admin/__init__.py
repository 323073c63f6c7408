"""Channels and gaps in Django's admin, a module each."""

from channels_app.admin import channels, gaps

__all__ = ["channels", "gaps"]
