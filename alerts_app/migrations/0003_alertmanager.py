import uuid

from django.db import migrations, models


class Migration(migrations.Migration):
    """Silences, and alerts that senders repeat, in PostgreSQL."""

    dependencies = [("alerts_app", "0002_kept_by_processors")]

    operations = [
        migrations.CreateModel(
            name="HeardAlert",
            fields=[
                ("fingerprint", models.CharField(max_length=16, primary_key=True, serialize=False)),
                ("labels", models.JSONField()),
                ("annotations", models.JSONField()),
                ("url", models.TextField()),
                ("starts", models.BigIntegerField()),
                ("ends", models.BigIntegerField()),
                ("is_timed_out", models.BooleanField()),
                ("is_firing", models.BooleanField()),
                ("updated", models.BigIntegerField()),
            ],
            options={
                "db_table": "heard_alerts",
                "indexes": [
                    models.Index(
                        condition=models.Q(("is_firing", True)), fields=["ends"], name="firing_until"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Transition",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uuid", models.UUIDField(default=uuid.uuid4)),
                ("message", models.TextField()),
            ],
            options={"db_table": "alert_transitions", "ordering": ["id"]},
        ),
        migrations.CreateModel(
            name="Silence",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False)),
                ("matchers", models.JSONField()),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("created_by", models.CharField(blank=True, max_length=10_000)),
                ("comment", models.CharField(blank=True, max_length=10_000)),
                ("annotations", models.JSONField(blank=True, default=dict)),
                ("updated_at", models.DateTimeField()),
            ],
            options={
                "db_table": "silences",
                "ordering": ["starts_at", "id"],
                "indexes": [models.Index(fields=["ends_at"], name="silences_until")],
            },
        ),
    ]
