from django.db import migrations, models
from django_mongodb_backend.fields import ObjectIdAutoField, ObjectIdField

from relaybase.mongo.indexes import ExpiringIndex


class Migration(migrations.Migration):
    """In MongoDB."""

    dependencies = [("webhooks_app", "0001_webhooks")]

    operations = [
        migrations.CreateModel(
            name="Attempt",
            fields=[
                ("id", ObjectIdAutoField(db_column="_id", primary_key=True, serialize=False)),
                ("at", models.DateTimeField(help_text="When it began.")),
                ("subscription", models.BigIntegerField()),
                ("subscription_name", models.TextField()),
                ("endpoint", models.BigIntegerField()),
                ("endpoint_name", models.TextField()),
                ("message_id", ObjectIdField()),
                ("position", models.CharField(max_length=30)),
                ("attempt", models.IntegerField(help_text="Which one, from 1.")),
                ("webhook_id", models.TextField(help_text="The same in each attempt.")),
                ("status", models.IntegerField(help_text="Of the answer. Empty: there was none.", null=True)),
                ("failure", models.TextField(help_text="Why there was no answer.", null=True)),
                ("seconds", models.FloatField(help_text="How long it took.")),
                ("answer", models.BinaryField(help_text="What its body began with.")),
                ("expires_at", models.DateTimeField(help_text="When MongoDB deletes this.")),
            ],
            options={
                "db_table": "attempts",
                "indexes": [
                    models.Index(fields=["subscription", "id"], name="subscription_id"),
                    models.Index(fields=["endpoint", "id"], name="endpoint_id"),
                    models.Index(fields=["message_id", "id"], name="message_id_id"),
                    ExpiringIndex(fields=["expires_at"], name="expires_at"),
                ],
            },
        ),
    ]
