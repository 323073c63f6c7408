"""Admin pages to look at only, or nearly so."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest


class AddOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """What stays as it was made."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False


class ReadOnlyAdmin(AddOnlyAdmin):
    """What Relay writes, and nobody by hand."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody."""
        return False
