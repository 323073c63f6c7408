"""A retention that was made shorter deletes nothing for a minute."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("channels_app", "0011_life"),
    ]

    operations = [
        migrations.AddField(
            model_name="channel",
            name="retention_before",
            field=models.PositiveBigIntegerField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="channel",
            name="shortened_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddIndex(
            model_name="channel",
            index=models.Index(
                condition=models.Q(("retention_seconds__isnull", False)),
                fields=["channel"],
                name="channels_kept_for_a_time",
            ),
        ),
    ]
