from django.db import migrations, models


def trust(apps, schema_editor):
    """Before this, what was led was taken for heard: a gap is not to begin before that."""
    apps.get_model('leases_app', 'Lease').objects.filter(role='listener').update(heard_at=models.F('heartbeat_at'))


class Migration(migrations.Migration):

    dependencies = [
        ('leases_app', '0004_deployment'),
    ]

    operations = [
        migrations.AddField(
            model_name='lease',
            name='heard_at',
            field=models.DateTimeField(blank=True, help_text='When a leader last proved that it hears: its own tick came back.', null=True),
        ),
        migrations.AddField(
            model_name='lease',
            name='waiting',
            field=models.PositiveBigIntegerField(default=0, help_text="Messages in the holder's memory that are not on the stream, or not stored, yet."),
        ),
        migrations.AddField(
            model_name='lease',
            name='trouble',
            field=models.TextField(blank=True, default='', help_text='What the holder cannot do, and why.'),
        ),
        migrations.AddField(
            model_name='partitioning',
            name='proposed_at',
            field=models.DateTimeField(help_text='When listeners and writers were last proposed where they were missing.', null=True),
        ),
        migrations.RunPython(trust, migrations.RunPython.noop),
    ]
