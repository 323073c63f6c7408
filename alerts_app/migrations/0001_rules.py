"""Rules, what people say of alerts, and the mark that changes with which rules there are."""

import django.core.validators
import django.db.models.deletion
import relaybase.postgres.clock
import uuid
from django.db import migrations, models


# As `access_app.migrations.0002_rights_mark` has it, and for its reasons.
FUNCTION = """
CREATE FUNCTION rules_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF current_setting('relay.rules_changed', true) IS DISTINCT FROM pg_current_xact_id()::text THEN
        INSERT INTO rules_mark (id, mark) VALUES (1, gen_random_uuid())
            ON CONFLICT (id) DO UPDATE SET mark = excluded.mark;
        PERFORM set_config('relay.rules_changed', pg_current_xact_id()::text, true);
    END IF;
    RETURN NULL;
END $$
"""

STATEMENTS = [
    FUNCTION,
    "CREATE CONSTRAINT TRIGGER rules_changed AFTER INSERT OR UPDATE OR DELETE ON rules "
    "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION rules_changed()",
    "CREATE TRIGGER rules_truncated AFTER TRUNCATE ON rules EXECUTE FUNCTION rules_changed()",
]


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('channels_app', '0013_public'),
    ]

    operations = [
        migrations.CreateModel(
            name='Laid',
            fields=[
                ('name', models.CharField(max_length=100, primary_key=True, serialize=False)),
                ('at', models.DateTimeField(db_default=relaybase.postgres.clock.ClockTimestamp())),
            ],
            options={
                'db_table': 'rules_laid',
            },
        ),
        migrations.CreateModel(
            name='RulesMark',
            fields=[
                ('id', models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ('mark', models.UUIDField()),
            ],
            options={
                'db_table': 'rules_mark',
            },
        ),
        migrations.CreateModel(
            name='Rule',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100, unique=True, validators=[django.core.validators.RegexValidator('\\A(?!\\.{1,2}$)[A-Za-z0-9._-]{1,100}\\Z', 'A name has 1 to 100 letters, digits, dots, underscores and dashes, and not one or two dots alone.')])),
                ('uuid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('kind', models.CharField(choices=[('window', 'window: what overlaps is one alert, closed when it ends'), ('group', 'group: what belongs together is told together'), ('threshold', 'threshold: so many in a time'), ('absence', 'absence: nothing for a time')], max_length=9)),
                ('settings', models.JSONField(help_text='What docs/alerts.md says of this kind.')),
                ('revision', models.PositiveBigIntegerField(db_default=1, default=1, editable=False)),
                ('state', models.CharField(choices=[('active', 'active'), ('disabled', 'disabled')], default='active', editable=False, max_length=8)),
                ('reason', models.TextField(blank=True, default='', editable=False, help_text='Why it is disabled.')),
                ('position', models.CharField(default='0000000000000-0000000000-00000', editable=False, help_text='What stands above this one it reads.', max_length=30)),
                ('created_at', models.DateTimeField(db_default=relaybase.postgres.clock.ClockTimestamp(), editable=False)),
                ('updated_at', models.DateTimeField(db_default=relaybase.postgres.clock.ClockTimestamp(), editable=False)),
                ('channel', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='rules', to='channels_app.channel')),
                ('to', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='written_by', to='channels_app.channel')),
            ],
            options={
                'db_table': 'rules',
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='Note',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('alert', models.CharField(max_length=24)),
                ('by', models.CharField(max_length=150)),
                ('at', models.DateTimeField(db_default=relaybase.postgres.clock.ClockTimestamp())),
                ('text', models.CharField(max_length=10000)),
                ('rule', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='alerts_app.rule')),
            ],
            options={
                'db_table': 'alert_notes',
                'ordering': ['at', 'id'],
            },
        ),
        migrations.CreateModel(
            name='Assignment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('alert', models.CharField(max_length=24)),
                ('by', models.CharField(max_length=150)),
                ('at', models.DateTimeField(db_default=relaybase.postgres.clock.ClockTimestamp())),
                ('to', models.CharField(max_length=150)),
                ('rule', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='alerts_app.rule')),
            ],
            options={
                'db_table': 'assignments',
            },
        ),
        migrations.CreateModel(
            name='Acknowledgement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('alert', models.CharField(max_length=24)),
                ('by', models.CharField(max_length=150)),
                ('at', models.DateTimeField(db_default=relaybase.postgres.clock.ClockTimestamp())),
                ('note', models.CharField(blank=True, default='', max_length=10000)),
                ('rule', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='alerts_app.rule')),
            ],
            options={
                'db_table': 'acknowledgements',
            },
        ),
        migrations.AddConstraint(
            model_name='rule',
            constraint=models.CheckConstraint(condition=models.Q(('channel', models.F('to')), _negated=True), name='a_rule_reads_what_it_does_not_write'),
        ),
        migrations.AddIndex(
            model_name='note',
            index=models.Index(fields=['alert', 'at', 'id'], name='notes_of_an_alert'),
        ),
        migrations.AddConstraint(
            model_name='assignment',
            constraint=models.UniqueConstraint(fields=('alert',), name='one_assignment_of_an_alert'),
        ),
        migrations.AddConstraint(
            model_name='acknowledgement',
            constraint=models.UniqueConstraint(fields=('alert',), name='one_acknowledgement_of_an_alert'),
        ),
        migrations.RunSQL(
            STATEMENTS, "DROP FUNCTION rules_changed() CASCADE",
            # Of this app there may be collections in MongoDB, too.
            hints={"model_name": "rule"},
        ),
    ]
