from django.db import migrations, models


def trust(apps, schema_editor):
    """Before this, what was proven to be heard was known up to the proof."""
    if schema_editor.connection.alias == 'default':
        apps.get_model('leases_app', 'Lease').objects.filter(role='listener').update(known_until=models.F('heard_at'))


class Migration(migrations.Migration):

    dependencies = [
        ('leases_app', '0005_heard'),
    ]

    operations = [
        migrations.AddField(
            model_name='lease',
            name='known_until',
            field=models.DateTimeField(blank=True, help_text='What was published up to here is on the stream, or on record as missed.', null=True),
        ),
        migrations.RunPython(trust, migrations.RunPython.noop),
    ]
