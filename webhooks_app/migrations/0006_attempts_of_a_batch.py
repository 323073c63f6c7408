from django.db import migrations

from relaybase.mongo.indexes import PartialIndex


class Migration(migrations.Migration):
    """In MongoDB: the attempts at one batch."""

    dependencies = [("webhooks_app", "0005_batches")]

    operations = [
        migrations.AddIndex(
            model_name="attempt",
            index=PartialIndex(fields=["webhook_id", "id"], name="webhook_id_id", where={"is_in_batch": True}),
        ),
    ]
