"""A token has grants instead of one scope; a scope becomes one grant on every channel."""

from django.db import migrations, models

import access_app.models

GRANT = """
UPDATE tokens SET grants = jsonb_build_array(jsonb_build_object('scope', scope, 'channels', jsonb_build_array('*')))
"""


class Migration(migrations.Migration):
    dependencies = [("access_app", "0002_rights_mark")]

    operations = [
        migrations.AddField(
            model_name="token",
            name="grants",
            field=models.JSONField(
                default=access_app.models.reading, help_text="What it may do, on which channels."
            ),
        ),
        migrations.RunSQL(GRANT, migrations.RunSQL.noop),
        # The triggers of migration 0002 are deferred, and PostgreSQL changes no table that has some pending.
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
        migrations.RemoveField(model_name="token", name="scope"),
    ]
