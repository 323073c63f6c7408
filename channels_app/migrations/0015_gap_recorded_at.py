"""When the record of a gap was written. Of those that are there nobody knows: they stay empty."""

from django.db import migrations, models

import relaybase.postgres.clock


class Migration(migrations.Migration):
    dependencies = [
        ("channels_app", "0014_broadcast"),
    ]

    operations = [
        migrations.AddField(
            model_name="gap",
            name="recorded_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name="gap",
            name="recorded_at",
            field=models.DateTimeField(
                db_default=relaybase.postgres.clock.ClockTimestamp(), editable=False, null=True
            ),
        ),
    ]
