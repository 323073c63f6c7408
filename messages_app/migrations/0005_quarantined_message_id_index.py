from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("messages_app", "0004_quarantined_acknowledged")]

    operations = [
        migrations.AddIndex(
            model_name="quarantined",
            index=models.Index(fields=["message_id"], name="quarantined_message_id"),
        ),
    ]
