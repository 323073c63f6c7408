"""Tokens and the audit log in Django's admin."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from access_app import tokens
from access_app.models import AuditEntry, Token
from relaybase.pages.readonly import AddOnlyAdmin, ReadOnlyAdmin

_BECAME = ("key", "created_at", "rotated_at", "last_used_at", "revoked_at")


@admin.register(Token)
class TokenAdmin(AddOnlyAdmin):
    """A key is shown once, in the message after it was made or rotated.

    What a token may do was decided when it was made. A revoked one stays, so that the audit log has
    something to refer to.
    """

    list_display = ("name", "user", "may", "key", "last_used_at", "state")
    list_select_related = ("user",)
    list_filter = ("scope",)
    search_fields = ("name",)
    actions = ("rotate", "revoke")

    def get_fields(self, request: HttpRequest, obj: Token | None = None) -> tuple[str, ...]:
        """Those of a new one; of another one, what became of it as well."""
        asked = ("name", "user", "scope", "expires_at")
        return asked if obj is None else (*asked, *_BECAME)

    def get_readonly_fields(self, request: HttpRequest, obj: Token | None = None) -> tuple[str, ...]:
        """What nobody types."""
        return _BECAME

    @admin.display(description="scope", ordering="scope")
    def may(self, token: Token) -> str:
        """Without its explanation."""
        return token.scope

    @admin.display(description="key")
    def key(self, token: Token) -> str:
        """What it begins with."""
        return f"{token.hint}…"

    @admin.display(description="state")
    def state(self, token: Token) -> SafeString:
        """As a pill."""
        kind = {"revoked": "", "expired": "warn"}.get(token.state, "good")
        return format_html('<span class="pill {}">{}</span>', kind, token.state)

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


@admin.register(AuditEntry)
class AuditAdmin(ReadOnlyAdmin):
    """Who did what."""

    list_display = ("at", "actor", "via", "address", "action", "target")
    list_filter = ("action",)
    search_fields = ("actor", "target")
