from django.db import migrations, models

_WHOSE = ("message", "quarantined")


class Migration(migrations.Migration):
    """Documents of before do not have these, and are as good as ever."""

    dependencies = [("messages_app", "0002_quarantined_message_id")]

    operations = [
        migrations.SeparateDatabaseAndState(
            # Nothing is done in MongoDB: to add a field there writes to each of perhaps millions of documents.
            state_operations=[
                migrations.AddField(model_name=model, name=name, field=field(null=True))
                for model in _WHOSE
                for name, field in (
                    ("attributes", models.JSONField),
                    ("content_type", models.TextField),
                    ("produced_by", models.TextField),
                )
            ]
        )
    ]
