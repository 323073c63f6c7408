from django.db import migrations, models

import channels_app.models


def divide(apps, schema_editor):
    """What is recorded so far is of the partitions there are: of others before nobody knows."""
    if schema_editor.connection.alias != 'default':
        return
    recorded = apps.get_model('leases_app', 'Partitioning').objects.first()
    if recorded is not None:
        apps.get_model('channels_app', 'Gap').objects.update(partitions=recorded.partitions)


class Migration(migrations.Migration):

    dependencies = [
        ('channels_app', '0007_vanished'),
        ('leases_app', '0003_partitioning'),
    ]

    operations = [
        migrations.AddField(
            model_name='gap',
            name='partitions',
            field=models.PositiveIntegerField(default=channels_app.models.current_partitions, editable=False, help_text='Into how many everything was divided then.'),
        ),
        migrations.RunPython(divide, migrations.RunPython.noop),
    ]
