"""Tokens and the audit log in Django's admin."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest

from access_app import tokens
from access_app.models import AuditEntry, Token


@admin.register(Token)
class TokenAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A key is shown once, in the message after it was made or rotated."""

    list_display = ("name", "user", "scope", "hint", "created_at", "last_used_at", "expires_at", "revoked_at")
    list_filter = ("scope",)
    search_fields = ("name",)
    fields = ("name", "user", "scope", "expires_at")
    actions = ("rotate", "revoke")

    def save_model(self, request: HttpRequest, obj: Token, form: Any, change: bool) -> None:
        """Make it. There is no other way to save one."""
        made, key = tokens.make(obj.name, obj.user, obj.scope, expires_at=obj.expires_at)
        obj.pk = made.pk
        self._show(request, made, key)

    @admin.action(description="Rotate: give selected tokens new keys", permissions=["add"])
    def rotate(self, request: HttpRequest, queryset: Any) -> None:
        """The old keys are refused at once."""
        for token in queryset:
            self._show(request, token, tokens.rotate(token))

    @admin.action(description="Revoke selected tokens", permissions=["add"])
    def revoke(self, request: HttpRequest, queryset: Any) -> None:
        """For ever."""
        revoked = sum(map(tokens.revoke, queryset))
        self.message_user(request, f"Revoked {revoked} tokens.", messages.SUCCESS)

    def _show(self, request: HttpRequest, token: Token, key: str) -> None:
        text = f"The key of {token}, which is not shown again: {key}"
        self.message_user(request, text, messages.WARNING)

    def has_change_permission(self, request: HttpRequest, obj: Token | None = None) -> bool:
        """Nobody: what a token may do was decided when it was made."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Token | None = None) -> bool:
        """Nobody: a revoked token stays, so that the audit log has something to refer to."""
        return False


@admin.register(AuditEntry)
class AuditAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Read-only."""

    list_display = ("at", "actor", "via", "address", "action", "target")
    list_filter = ("action",)
    search_fields = ("actor", "target")
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: AuditEntry | None = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: AuditEntry | None = None) -> bool:
        """Nobody."""
        return False
