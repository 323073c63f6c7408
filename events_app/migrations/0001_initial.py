"""What waits to be told."""

import relaybase.postgres.clock
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name='Event',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=200, unique=True)),
                ('type', models.CharField(choices=[('endpoint.failing', 'an endpoint does nothing but fail'), ('endpoint.recovered', 'an endpoint has taken something again'), ('endpoint.disabled', 'Relay has disabled an endpoint'), ('subscription.dead-letters', 'dead letters begin')], max_length=40)),
                ('subject', models.CharField(max_length=200)),
                ('data', models.JSONField()),
                ('at', models.DateTimeField(db_default=relaybase.postgres.clock.ClockTimestamp())),
            ],
            options={
                'db_table': 'events',
                'ordering': ['pk'],
            },
        ),
    ]
