from django.db import migrations, models


def trust(apps, schema_editor):
    """What is said to be heard was heard by then. Of the others nobody knows it."""
    if schema_editor.connection.alias == 'default':
        apps.get_model('channels_app', 'Channel').objects.update(first_heard_at=models.F('active_since'))


class Migration(migrations.Migration):

    dependencies = [
        ('channels_app', '0005_refusal'),
    ]

    operations = [
        migrations.AddField(
            model_name='channel',
            name='first_heard_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.RunPython(trust, migrations.RunPython.noop),
    ]
