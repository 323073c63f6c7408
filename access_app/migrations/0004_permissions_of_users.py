"""Django's permissions of a user count from now on: users of tokens get those that their tokens had the use of.

Who may be given less is for an operator to say. The audit log has who was given what.
"""

from collections import defaultdict

from django.conf import settings
from django.db import migrations
from django.db.models import Q
from django.db.models.functions import Now

from access_app import actor

READ = (
    ("channels_app", "channel", "view"),
    ("channels_app", "gap", "view"),
    ("messages_app", "message", "view"),
)
MANAGE = tuple(("channels_app", "channel", verb) for verb in ("add", "change", "delete"))


def give(apps, schema_editor):
    if schema_editor.connection.alias != "default":
        return
    Token = apps.get_model("access_app", "Token")
    unexpired = Q(expires_at=None) | Q(expires_at__gt=Now())
    tokens = Token.objects.filter(unexpired, revoked_at=None, user__is_superuser=False).select_related("user")
    wanted, names = defaultdict(set), defaultdict(list)
    for token in tokens.order_by("name"):
        scopes = {grant["scope"] for grant in token.grants}
        wanted[token.user] |= {*READ, *(MANAGE if "manage" in scopes else ())}
        names[token.user].append(token.name)
    who = actor.current()
    for user, permissions in wanted.items():
        user.user_permissions.add(*(permission(apps, *one) for one in sorted(permissions)))
        apps.get_model("access_app", "AuditEntry").objects.create(
            actor=who.name,
            via=who.via,
            action="permissions given",
            target=user.username,
            details={
                "permissions": [f"{app}.{verb}_{model}" for app, model, verb in sorted(permissions)],
                "tokens": names[user],
            },
        )


def permission(apps, app, model, verb):
    """As Django makes it after all migrations, if it has not yet."""
    kind, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(app_label=app, model=model)
    found, _ = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=kind, codename=f"{verb}_{model}", defaults={"name": f"Can {verb} {model}"}
    )
    return found


class Migration(migrations.Migration):
    dependencies = [
        ("access_app", "0003_grants"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [migrations.RunPython(give, migrations.RunPython.noop)]
