"""Endpoints, their secrets and webhooks, and the mark that changes with what a sender remembers of them."""

import django.core.validators
import django.db.models.deletion
import relaybase.postgres.clock
from django.conf import settings
from django.db import migrations, models


# As `access_app.migrations.0002_rights_mark` has it, and for its reasons.
FUNCTION = """
CREATE FUNCTION webhooks_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF current_setting('relay.webhooks_changed', true) IS DISTINCT FROM pg_current_xact_id()::text THEN
        INSERT INTO webhooks_mark (id, mark) VALUES (1, gen_random_uuid())
            ON CONFLICT (id) DO UPDATE SET mark = excluded.mark;
        PERFORM set_config('relay.webhooks_changed', pg_current_xact_id()::text, true);
    END IF;
    RETURN NULL;
END $$
"""

# What senders write themselves. All other columns count, those of later migrations too. The generation of a
# subscription does as well, which tells of a seek.
FREE = {
    "endpoints": "breaker, breaker_until, breaker_failures, failing_since, failed_at, last_status, "
    "last_failure, last_attempt_at, last_success_at, updated_at",
    "endpoint_secrets": "",
    "webhooks": "",
    "subscriptions": "position, fetched, noted_upto, noted_messages, last_fetch_at, updated_at",
}

ROW = (
    "CREATE CONSTRAINT TRIGGER {name} AFTER {event} ON {table} DEFERRABLE INITIALLY DEFERRED "
    "FOR EACH ROW {condition} EXECUTE FUNCTION webhooks_changed()"
)
WHOLE = "CREATE TRIGGER webhooks_truncated AFTER TRUNCATE ON {table} EXECUTE FUNCTION webhooks_changed()"


def statements():
    yield FUNCTION
    for table, free in FREE.items():
        differs = f"to_jsonb(OLD) - '{{{free}}}'::text[] IS DISTINCT FROM to_jsonb(NEW) - '{{{free}}}'::text[]"
        if table == "subscriptions":
            differs = f"to_jsonb(NEW)->>'kind' = 'webhook' AND {differs}"
        else:
            # One that comes or goes. Of a subscription its row in `webhooks` does so with it.
            yield ROW.format(name="webhooks_changed", event="INSERT OR DELETE", table=table, condition="")
        yield ROW.format(name="webhooks_updated", event="UPDATE", table=table, condition=f"WHEN ({differs})")
        yield WHOLE.format(table=table)


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('subscribers_app', '0006_webhooks'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='WebhooksMark',
            fields=[
                ('id', models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ('mark', models.UUIDField()),
            ],
            options={
                'db_table': 'webhooks_mark',
            },
        ),
        migrations.CreateModel(
            name='Endpoint',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100, unique=True, validators=[django.core.validators.RegexValidator('\\A(?!\\.{1,2}$)[A-Za-z0-9._-]{1,100}\\Z', 'A name has 1 to 100 letters, digits, dots, underscores and dashes, and not one or two dots alone.')])),
                ('url', models.CharField(max_length=2048)),
                ('headers', models.BinaryField(default=b'', help_text='Encrypted: a JSON object. Empty: none.')),
                ('confirmation', models.CharField(choices=[('challenge', 'challenge: it echoes what was sent to it, or somebody follows the link'), ('options', "options: it allows it, as CloudEvents' webhooks do"), ('vouched', 'vouched: somebody who manages every channel answers for it')], default='challenge', max_length=9)),
                ('confirmed_at', models.DateTimeField(editable=False, help_text='Empty: this URL is not.', null=True)),
                ('state', models.CharField(choices=[('pending', 'pending'), ('active', 'active'), ('disabled', 'disabled')], default='pending', editable=False, max_length=8)),
                ('reason', models.TextField(blank=True, default='', editable=False, help_text='Why it is not active.')),
                ('timeout_seconds', models.PositiveSmallIntegerField(default=15, help_text='So long an attempt may take, from the connection to the end of the answer.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(30)])),
                ('max_concurrency', models.PositiveSmallIntegerField(default=8, help_text='So many attempts may be under way at once.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(64)])),
                ('max_per_second', models.FloatField(blank=True, help_text='So many attempts begin in a second, at most. Empty: as many as it takes.', null=True, validators=[django.core.validators.MinValueValidator(0.001), django.core.validators.MaxValueValidator(100000.0)])),
                ('breaker', models.CharField(choices=[('closed', 'closed'), ('open', 'open'), ('half-open', 'half-open')], default='closed', editable=False, max_length=9)),
                ('breaker_until', models.BigIntegerField(default=0, editable=False)),
                ('breaker_failures', models.PositiveIntegerField(default=0, editable=False)),
                ('failing_since', models.BigIntegerField(editable=False, null=True)),
                ('failed_at', models.BigIntegerField(editable=False, null=True)),
                ('last_status', models.PositiveSmallIntegerField(editable=False, null=True)),
                ('last_failure', models.CharField(blank=True, default='', editable=False, max_length=20)),
                ('last_attempt_at', models.DateTimeField(editable=False, null=True)),
                ('last_success_at', models.DateTimeField(editable=False, null=True)),
                ('revision', models.PositiveBigIntegerField(db_default=1, default=1, editable=False)),
                ('created_at', models.DateTimeField(db_default=relaybase.postgres.clock.ClockTimestamp(), editable=False)),
                ('updated_at', models.DateTimeField(db_default=relaybase.postgres.clock.ClockTimestamp(), editable=False)),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='endpoints', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'db_table': 'endpoints',
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='Challenge',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('url', models.CharField(max_length=2048)),
                ('host', models.CharField(max_length=255)),
                ('digest', models.BinaryField(max_length=32, unique=True)),
                ('asked_at', models.DateTimeField(db_default=relaybase.postgres.clock.ClockTimestamp())),
                ('expires_at', models.DateTimeField(db_index=True)),
                ('outcome', models.CharField(blank=True, default='', help_text='Empty: none yet.', max_length=200)),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('endpoint', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='challenges', to='webhooks_app.endpoint')),
            ],
            options={
                'db_table': 'challenges',
            },
        ),
        migrations.CreateModel(
            name='EndpointSecret',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('v1', 'v1: HMAC-SHA256'), ('v1a', 'v1a: ed25519')], max_length=3)),
                ('value', models.BinaryField(help_text='Encrypted: the text whsec_…, or of v1a whsk_….')),
                ('public', models.CharField(blank=True, default='', help_text='Of v1a the public key, whpk_…; of v1 empty.', max_length=60)),
                ('created_at', models.DateTimeField(db_default=relaybase.postgres.clock.ClockTimestamp())),
                ('ends_at', models.DateTimeField(help_text='Until when it signs. Empty: it is the one of now.', null=True)),
                ('endpoint', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='secrets', to='webhooks_app.endpoint')),
            ],
            options={
                'db_table': 'endpoint_secrets',
                'ordering': ['-created_at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='Webhook',
            fields=[
                ('subscription', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='webhook', serialize=False, to='subscribers_app.subscription')),
                ('format', models.CharField(choices=[('raw', 'raw'), ('standard', 'standard'), ('cloudevents-binary', 'cloudevents-binary'), ('cloudevents-structured', 'cloudevents-structured')], default='standard', max_length=22)),
                ('schedule_seconds', models.JSONField(blank=True, help_text='How long it waits before each attempt. Empty: as the standard says.', null=True)),
                ('max_age_seconds', models.PositiveIntegerField(blank=True, help_text='What was received longer ago is not sent. Empty: everything is.', null=True)),
                ('endpoint', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='webhooks', to='webhooks_app.endpoint')),
            ],
            options={
                'db_table': 'webhooks',
            },
        ),
        migrations.AddConstraint(
            model_name='endpoint',
            constraint=models.UniqueConstraint(fields=('owner', 'url'), name='one_endpoint_of_an_owner_and_url'),
        ),
        migrations.AddIndex(
            model_name='challenge',
            index=models.Index(fields=['host', 'asked_at'], name='challenges_of_a_host'),
        ),
        migrations.AddIndex(
            model_name='challenge',
            index=models.Index(fields=['owner', 'asked_at'], name='challenges_of_an_owner'),
        ),
        migrations.RunSQL(
            list(statements()), "DROP FUNCTION webhooks_changed() CASCADE",
            # Of this app there is a collection in MongoDB, too.
            hints={"model_name": "endpoint"},
        ),
    ]
