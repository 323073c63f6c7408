"""Channels that go to every socket, and the mark that a new one of them changes: the list is remembered."""

import channels_app.validators
from django.db import migrations, models

ADDED = (
    "CREATE CONSTRAINT TRIGGER channels_added AFTER INSERT ON channels DEFERRABLE INITIALLY DEFERRED "
    "FOR EACH ROW WHEN (NEW.broadcast <> '') EXECUTE FUNCTION channels_changed()"
)


class Migration(migrations.Migration):
    dependencies = [
        ("channels_app", "0013_public"),
    ]

    operations = [
        migrations.AddField(
            model_name="channel",
            name="broadcast",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="The Socket.IO event by which it goes to every page, without joining. For public channels.",
                max_length=50,
                validators=[channels_app.validators.validate_event],
            ),
        ),
        migrations.AddIndex(
            model_name="channel",
            index=models.Index(
                condition=models.Q(("broadcast", ""), _negated=True),
                fields=["channel"],
                name="channels_broadcast",
            ),
        ),
        migrations.RunSQL(ADDED, "DROP TRIGGER channels_added ON channels"),
    ]
