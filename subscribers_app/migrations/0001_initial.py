"""Subscriptions, deliveries, what ended undelivered, and the mark that changes with what is remembered."""

import django.core.validators
import django.db.models.deletion
import relaybase.postgres.clock
from django.db import migrations, models


# As `access_app.migrations.0002_rights_mark` has it, and for its reasons.
FUNCTION = """
CREATE FUNCTION subscriptions_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF current_setting('relay.subscriptions_changed', true) IS DISTINCT FROM pg_current_xact_id()::text THEN
        INSERT INTO subscriptions_mark (id, mark) VALUES (1, gen_random_uuid())
            ON CONFLICT (id) DO UPDATE SET mark = excluded.mark;
        PERFORM set_config('relay.subscriptions_changed', pg_current_xact_id()::text, true);
    END IF;
    RETURN NULL;
END $$
"""

# What handing out changes. All other columns count, those of later migrations too.
FREE = "position, fetched, generation, noted_upto, noted_messages, last_fetch_at, updated_at"

ROW = (
    "CREATE CONSTRAINT TRIGGER {name} AFTER {event} ON subscriptions DEFERRABLE INITIALLY DEFERRED "
    "FOR EACH ROW {condition} EXECUTE FUNCTION subscriptions_changed()"
)
DIFFERS = (
    f"WHEN (to_jsonb(OLD) - '{{{FREE}}}'::text[] IS DISTINCT FROM to_jsonb(NEW) - '{{{FREE}}}'::text[])"
)
STATEMENTS = [
    FUNCTION,
    ROW.format(name="subscriptions_changed", event="DELETE", condition=""),
    ROW.format(name="subscriptions_updated", event="UPDATE", condition=DIFFERS),
    "CREATE TRIGGER subscriptions_truncated AFTER TRUNCATE ON subscriptions "
    "EXECUTE FUNCTION subscriptions_changed()",
]


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('channels_app', '0012_shortening'),
    ]

    operations = [
        migrations.CreateModel(
            name='SubscriptionsMark',
            fields=[
                ('id', models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ('mark', models.UUIDField()),
            ],
            options={
                'db_table': 'subscriptions_mark',
            },
        ),
        migrations.CreateModel(
            name='Subscription',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100, unique=True, validators=[django.core.validators.RegexValidator('\\A[A-Za-z0-9._-]{1,100}\\Z', 'A name has 1 to 100 letters, digits, dots, underscores and dashes.')])),
                ('kind', models.CharField(choices=[('pull', 'pull')], default='pull', editable=False, max_length=8)),
                ('mode', models.CharField(choices=[('cursor', 'cursor'), ('lease', 'lease')], max_length=8)),
                ('state', models.CharField(choices=[('active', 'active'), ('paused', 'paused')], default='active', editable=False, max_length=8)),
                ('reason', models.TextField(blank=True, default='', editable=False, help_text='Why it is paused.')),
                ('filter', models.JSONField(blank=True, help_text='Empty: every message.', null=True)),
                ('filter_scope', models.CharField(choices=[('body', 'body'), ('attributes', 'attributes')], default='body', max_length=10)),
                ('order', models.CharField(choices=[('none', 'none'), ('channel', 'channel')], default='none', max_length=8)),
                ('delay_seconds', models.PositiveIntegerField(default=0, help_text='A message is handed out this long after it was received.', validators=[django.core.validators.MaxValueValidator(43200)])),
                ('ack_deadline_seconds', models.PositiveIntegerField(default=30, help_text='So long a worker has for a message, unless it asks for more.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(43200)])),
                ('max_deliveries', models.PositiveIntegerField(blank=True, help_text='After so many attempts a message is a dead letter. Empty: never.', null=True, validators=[django.core.validators.MinValueValidator(1)])),
                ('max_outstanding', models.PositiveIntegerField(default=1000, help_text='So many messages may be on their way at once.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100000)])),
                ('position', models.CharField(default='0000000000000-0000000000-00000', editable=False, max_length=30)),
                ('fetched', models.CharField(default='0000000000000-0000000000-00000', editable=False, max_length=30)),
                ('generation', models.PositiveBigIntegerField(default=1, editable=False)),
                ('noted_upto', models.CharField(blank=True, default='', editable=False, max_length=30)),
                ('noted_messages', models.PositiveBigIntegerField(default=0, editable=False)),
                ('last_fetch_at', models.DateTimeField(editable=False, null=True)),
                ('created_at', models.DateTimeField(db_default=relaybase.postgres.clock.ClockTimestamp(), editable=False)),
                ('updated_at', models.DateTimeField(db_default=relaybase.postgres.clock.ClockTimestamp(), editable=False)),
                ('channel', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='subscriptions', to='channels_app.channel')),
            ],
            options={
                'db_table': 'subscriptions',
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.CharField(max_length=30)),
                ('message_id', models.BinaryField(max_length=12)),
                ('state', models.CharField(choices=[('waiting', 'waiting'), ('leased', 'leased'), ('dead', 'dead')], max_length=8)),
                ('attempt', models.PositiveIntegerField(default=0)),
                ('before', models.PositiveIntegerField(default=0)),
                ('due_at', models.BigIntegerField(default=0)),
                ('deadline_at', models.BigIntegerField(default=0)),
                ('why', models.TextField(blank=True, default='')),
                ('created_at', models.DateTimeField(db_default=relaybase.postgres.clock.ClockTimestamp())),
                ('died_at', models.DateTimeField(null=True)),
                ('subscription', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='subscribers_app.subscription')),
            ],
            options={
                'verbose_name_plural': 'deliveries',
                'db_table': 'deliveries',
                'indexes': [models.Index(condition=models.Q(('state', 'dead'), _negated=True), fields=['subscription', 'position'], name='deliveries_on_their_way'), models.Index(condition=models.Q(('state', 'dead')), fields=['subscription', 'died_at'], name='deliveries_dead')],
                'constraints': [models.UniqueConstraint(fields=('subscription', 'position'), name='one_delivery_of_a_message')],
            },
        ),
        migrations.CreateModel(
            name='Undelivered',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('cause', models.CharField(choices=[('retention', 'deleted by retention before it was handed out'), ('expired', 'deleted by retention while it was on its way, or dead'), ('seek', 'the cursor was moved past it'), ('skip', 'somebody skipped it'), ('drop', 'somebody dropped the dead letter')], max_length=10)),
                ('after', models.CharField(help_text='Above this position', max_length=30)),
                ('upto', models.CharField(help_text='up to this one.', max_length=30)),
                ('messages', models.PositiveBigIntegerField(help_text='At most so many. Empty: not known.', null=True)),
                ('at', models.DateTimeField(db_default=relaybase.postgres.clock.ClockTimestamp())),
                ('subscription', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='undelivered', to='subscribers_app.subscription')),
            ],
            options={
                'verbose_name_plural': 'undelivered',
                'db_table': 'undelivered',
                'ordering': ['-at', '-id'],
                'indexes': [models.Index(fields=['subscription', '-at', '-id'], name='undelivered_of_a_subscription')],
            },
        ),
        migrations.RunSQL(STATEMENTS, "DROP FUNCTION subscriptions_changed() CASCADE"),
    ]
