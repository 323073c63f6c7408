import django_mongodb_backend.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("messages_app", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="quarantined",
            name="message_id",
            field=django_mongodb_backend.fields.ObjectIdField(
                help_text="The deduplication key, under which a retry stores it. Empty where it is not known.",
                null=True,
            ),
        ),
        migrations.RemoveIndex(model_name="quarantined", name="quarantined_at"),
        migrations.AddIndex(
            model_name="quarantined",
            index=models.Index(fields=["quarantined_at", "id"], name="quarantined_at_id"),
        ),
        migrations.AddIndex(
            model_name="quarantined",
            index=models.Index(fields=["channel", "quarantined_at", "id"], name="channel_quarantined_at_id"),
        ),
    ]
