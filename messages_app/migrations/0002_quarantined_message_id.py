import django_mongodb_backend.fields
from django.db import migrations


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
    ]
