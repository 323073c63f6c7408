"""Tickets, and the mark of rights changes with each session that ends: whoever logs out watches no more."""

import django.db.models.deletion
import relaybase.postgres.clock
from django.conf import settings
from django.db import migrations, models

# As migration 0002 has it. Tickets need none: they end with their tokens and users, or by themselves.
STATEMENTS = [
    "CREATE CONSTRAINT TRIGGER rights_changed AFTER DELETE ON django_session DEFERRABLE INITIALLY DEFERRED "
    "FOR EACH ROW EXECUTE FUNCTION rights_changed()",
    "CREATE TRIGGER rights_truncated AFTER TRUNCATE ON django_session EXECUTE FUNCTION rights_changed()",
]
REVERSE = [
    "DROP TRIGGER rights_changed ON django_session",
    "DROP TRIGGER rights_truncated ON django_session",
]

class Migration(migrations.Migration):

    dependencies = [
        ('access_app', '0004_permissions_of_users'),
        ("sessions", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Ticket',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('channels', models.JSONField()),
                ('digest', models.BinaryField(max_length=32, unique=True)),
                ('created_at', models.DateTimeField(db_default=relaybase.postgres.clock.ClockTimestamp())),
                ('used_at', models.DateTimeField(null=True)),
                ('expires_at', models.DateTimeField(db_index=True)),
                ('token', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='tickets', to='access_app.token')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'db_table': 'tickets',
            },
        ),
        migrations.RunSQL(STATEMENTS, REVERSE),
    ]
