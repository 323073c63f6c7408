"""Channels that nobody listens to, and the mark that changes with what is remembered of channels."""

from django.db import migrations, models

# As `access_app.migrations.0002_rights_mark` has it, and for its reasons.
FUNCTION = """
CREATE FUNCTION channels_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF current_setting('relay.channels_changed', true) IS DISTINCT FROM pg_current_xact_id()::text THEN
        INSERT INTO channels_mark (id, mark) VALUES (1, gen_random_uuid())
            ON CONFLICT (id) DO UPDATE SET mark = excluded.mark;
        PERFORM set_config('relay.channels_changed', pg_current_xact_id()::text, true);
    END IF;
    RETURN NULL;
END $$
"""

# What listeners find out, which may be of every channel at once. All other columns count, those of
# later migrations too. A new channel is not remembered by anybody.
FREE = "subscription_status, active_since, first_heard_at, refusal, updated_at"

ROW = (
    "CREATE CONSTRAINT TRIGGER {name} AFTER {event} ON channels DEFERRABLE INITIALLY DEFERRED "
    "FOR EACH ROW {condition} EXECUTE FUNCTION channels_changed()"
)
DIFFERS = (
    f"WHEN (to_jsonb(OLD) - '{{{FREE}}}'::text[] IS DISTINCT FROM to_jsonb(NEW) - '{{{FREE}}}'::text[])"
)
STATEMENTS = [
    FUNCTION,
    ROW.format(name="channels_changed", event="DELETE", condition=""),
    ROW.format(name="channels_updated", event="UPDATE", condition=DIFFERS),
    "CREATE TRIGGER channels_truncated AFTER TRUNCATE ON channels EXECUTE FUNCTION channels_changed()",
]


class Migration(migrations.Migration):
    dependencies = [
        ("channels_app", "0009_restored"),
    ]

    operations = [
        migrations.AddField(
            model_name="channel",
            name="listen",
            field=models.BooleanField(
                db_default=True,
                default=True,
                help_text="Hear what Redis publishes on the channel of this name.",
            ),
        ),
        migrations.AddField(
            model_name="channel",
            name="republish",
            field=models.BooleanField(
                db_default=True,
                default=True,
                help_text="What is published by HTTP goes out to Redis' own subscribers too.",
            ),
        ),
        migrations.AddField(
            model_name="channel",
            name="public",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddIndex(
            model_name="channel",
            index=models.Index(
                condition=models.Q(("listen", True)),
                fields=["partition"],
                name="channels_listened_to",
            ),
        ),
        migrations.CreateModel(
            name="ChannelsMark",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("mark", models.UUIDField()),
            ],
            options={"db_table": "channels_mark"},
        ),
        migrations.RunSQL(STATEMENTS, "DROP FUNCTION channels_changed() CASCADE"),
    ]
