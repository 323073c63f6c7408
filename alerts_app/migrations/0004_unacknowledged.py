"""Rules of the kind `unacknowledged`, and what people have done with alerts until that is told."""

import uuid

import django.db.models.deletion
from django.db import migrations, models

import relaybase.postgres.clock

KINDS = [
    ("window", "window: what overlaps is one alert, closed when it ends"),
    ("group", "group: what belongs together is told together"),
    ("threshold", "threshold: so many in a time"),
    ("absence", "absence: nothing for a time"),
    ("unacknowledged", "unacknowledged: an alert that nobody sees to for a time"),
    ("failing", "failing: a receiver that is not reached"),
]


class Migration(migrations.Migration):
    """The kind has a longer name than there was room for; PostgreSQL rewrites nothing for that."""

    dependencies = [("alerts_app", "0003_alertmanager")]

    operations = [
        migrations.AlterField("rule", "kind", models.CharField(choices=KINDS, max_length=20)),
        migrations.AlterField("rulefrontier", "kind", models.CharField(max_length=20)),
        migrations.CreateModel(
            name="Handled",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uuid", models.UUIDField(default=uuid.uuid4)),
                ("rule_uuid", models.UUIDField()),
                ("alert", models.CharField(max_length=24)),
                ("event", models.CharField(max_length=20)),
                ("at", models.DateTimeField(db_default=relaybase.postgres.clock.ClockTimestamp())),
                (
                    "rule",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="alerts_app.rule",
                    ),
                ),
            ],
            options={"db_table": "alerts_handled", "ordering": ["id"]},
        ),
    ]
