from django.db import migrations, models
from django_mongodb_backend.fields import ObjectIdAutoField


class Migration(migrations.Migration):
    """In MongoDB."""

    dependencies = [("alerts_app", "0001_rules")]

    operations = [
        migrations.CreateModel(
            name="RuleProcessor",
            fields=[
                ("id", models.CharField(db_column="_id", max_length=20, primary_key=True, serialize=False)),
                (
                    "division",
                    models.BigIntegerField(
                        help_text="Grows by one with each change of the number of shards."
                    ),
                ),
                ("shards", models.IntegerField(help_text="Of this division.", null=True)),
                ("term", models.BigIntegerField(help_text="The highest that has begun.", null=True)),
                (
                    "stamped",
                    models.BigIntegerField(
                        help_text="The last one to which all that is kept belongs.", null=True
                    ),
                ),
            ],
            options={"db_table": "rule_processors"},
        ),
        migrations.CreateModel(
            name="RuleFrontier",
            fields=[
                ("id", models.CharField(db_column="_id", max_length=80, primary_key=True, serialize=False)),
                ("rule", models.CharField(help_text="Its UUID, in hexadecimal.", max_length=32)),
                ("division", models.BigIntegerField()),
                ("shard", models.IntegerField()),
                ("of", models.IntegerField(help_text="So many shards have the rule.")),
                ("term", models.BigIntegerField()),
                ("position", models.CharField(max_length=30)),
                (
                    "time",
                    models.BigIntegerField(help_text="All timers that were due up to here have fired."),
                ),
                ("kind", models.CharField(max_length=9)),
                ("settings", models.TextField(help_text="JSON.")),
                ("revision", models.BigIntegerField()),
                ("known_from", models.CharField(max_length=30)),
                ("unusable", models.BigIntegerField()),
                ("last_unusable", models.TextField()),
                ("outputs", models.BigIntegerField()),
                ("kept_at", models.DateTimeField()),
            ],
            options={
                "db_table": "rule_frontiers",
                "indexes": [
                    models.Index(fields=["rule", "division", "shard"], name="rule_division_shard")
                ],
            },
        ),
        migrations.CreateModel(
            name="RuleState",
            fields=[
                ("id", ObjectIdAutoField(db_column="_id", primary_key=True, serialize=False)),
                ("rule", models.CharField(max_length=32)),
                ("key", models.TextField(help_text="JSON: the values of the key's fields.")),
                ("division", models.BigIntegerField()),
                ("shard", models.IntegerField()),
                ("by_key", models.BooleanField(help_text="Not: all keys of the rule are one.")),
                ("term", models.BigIntegerField()),
                ("at", models.CharField(help_text="The last cause in it.", max_length=30)),
                ("state", models.TextField(help_text="JSON. Empty: it has ended by that.", null=True)),
                ("due", models.BigIntegerField(null=True)),
                ("alerts", models.JSONField(help_text="The ids of what is open.")),
                ("shown", models.TextField(help_text="JSON: the same for people.", null=True)),
            ],
            options={
                "db_table": "rule_states",
                "indexes": [
                    models.Index(fields=["division", "shard", "rule"], name="division_shard_rule"),
                    models.Index(fields=["rule", "id"], name="rule_id"),
                    models.Index(fields=["rule", "due"], name="rule_due"),
                    models.Index(fields=["alerts"], name="alerts"),
                ],
            },
        ),
    ]
