"""Tokens and the audit log in Django's admin."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from access_app import tokens
from access_app.models import AuditEntry, Token
from access_app.permissions import lacking
from relaybase.pages.readonly import AddOnlyAdmin, ReadOnlyAdmin
from relaycore.errors import BadGrants
from relaycore.rights import SCOPES, parse

_BECAME = ("key", "created_at", "rotated_at", "last_used_at", "revoked_at")


def _patterns(scope: Token.Scope) -> forms.CharField:
    """Where the channels of a scope are written, one a line."""
    return forms.CharField(
        label=f"May {scope}",
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "cols": 60, "placeholder": "orders.*"}),
        help_text=f"{scope.label}. Patterns of channel names, one a line. * is every channel.",
    )


class TokenForm(forms.ModelForm):  # type: ignore[type-arg]
    """A new token: for each scope, the channels that it is for."""

    read = _patterns(Token.Scope.READ)
    consume = _patterns(Token.Scope.CONSUME)
    publish = _patterns(Token.Scope.PUBLISH)
    manage = _patterns(Token.Scope.MANAGE)

    class Meta:
        model = Token
        fields = ("name", "user", "expires_at")

    def clean(self) -> dict[str, Any]:
        """The patterns become grants."""
        found = super().clean() or {}
        given = {scope: found.get(scope, "").splitlines() for scope in SCOPES}
        patterns = {scope: [line.strip() for line in lines if line.strip()] for scope, lines in given.items()}
        try:
            grants = parse([{"scope": scope, "channels": of} for scope, of in patterns.items() if of])
        except BadGrants as exc:
            raise forms.ValidationError(str(exc)) from exc
        self.instance.grants = grants.as_json()
        return found


@admin.register(Token)
class TokenAdmin(AddOnlyAdmin):
    """A key is shown once, in the message after it was made or rotated.

    What a token may do was decided when it was made. A revoked one stays, so that the audit log has
    something to refer to.
    """

    form = TokenForm
    list_display = ("name", "user", "may", "key", "last_used_at", "state")
    list_select_related = ("user",)
    search_fields = ("name",)
    actions = ("rotate", "revoke")

    def get_fields(self, request: HttpRequest, obj: Token | None = None) -> tuple[str, ...]:
        """Those of a new one; of another one, what became of it as well."""
        if obj is None:
            return ("name", "user", *SCOPES, "expires_at")
        return ("name", "user", "may", "expires_at", *_BECAME)

    def get_readonly_fields(self, request: HttpRequest, obj: Token | None = None) -> tuple[str, ...]:
        """What nobody types."""
        return ("may", *_BECAME)

    @admin.display(description="may")
    def may(self, token: Token) -> str:
        """On which channels."""
        return str(token.granted)

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
        made, key = tokens.make(obj.name, obj.user, obj.granted, expires_at=obj.expires_at)
        obj.pk = made.pk
        self._show(request, made, key)
        if lacks := lacking(obj.user, made.granted):
            text = (
                f"The user {obj.user} lacks {', '.join(lacks)}: without that the token may less than it says."
            )
            self.message_user(request, text, messages.WARNING)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """The key is shown to whoever makes a token: so to act as somebody else takes a superuser."""
        if db_field.name == "user" and not request.user.is_superuser:
            kwargs["queryset"] = get_user_model().objects.filter(username=request.user.get_username())
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    @admin.action(description="Rotate: give selected tokens new keys", permissions=["add"])
    def rotate(self, request: HttpRequest, queryset: Any) -> None:
        """The old keys are refused at once."""
        for token in queryset:
            if token.user_id == request.user.pk or request.user.is_superuser:
                self._show(request, token, tokens.rotate(token))
            else:
                text = f"{token} acts as {token.user}: only a superuser may see its key."
                self.message_user(request, text, messages.ERROR)

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
