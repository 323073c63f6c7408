from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("messages_app", "0003_what_publishers_say")]

    operations = [
        migrations.AddField(
            model_name="quarantined",
            name="acknowledged_at",
            field=models.DateTimeField(help_text="Since when somebody knows of it.", null=True),
        ),
        migrations.AddIndex(
            model_name="quarantined",
            index=models.Index(
                fields=["acknowledged_at", "quarantined_at", "id"], name="acknowledged_quarantined_id"
            ),
        ),
    ]
