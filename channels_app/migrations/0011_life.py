"""Listening may be turned off and on: each time it begins a channel has another life."""

from django.db import migrations, models

import channels_app.models


class Migration(migrations.Migration):
    dependencies = [
        ("channels_app", "0010_listen"),
    ]

    operations = [
        migrations.RunSQL("CREATE SEQUENCE channels_life", "DROP SEQUENCE channels_life"),
        migrations.AddField(
            model_name="channel",
            name="life",
            field=models.BigIntegerField(
                db_default=channels_app.models.NextLife(), editable=False, unique=True
            ),
        ),
        migrations.AddField(
            model_name="channel",
            name="listened_until",
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
