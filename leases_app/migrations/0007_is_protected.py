from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('leases_app', '0006_known_until'),
    ]

    operations = [
        migrations.AddField(
            model_name='lease',
            name='is_protected',
            field=models.BooleanField(blank=True, help_text='Whether a standby has just proved that it would take over; empty: not said.', null=True),
        ),
    ]
