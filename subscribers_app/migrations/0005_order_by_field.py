"""Order by a field: keys, and what waits behind another message of its key."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('subscribers_app', '0004_activity'),
    ]

    operations = [
        migrations.CreateModel(
            name='HeldBack',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=24)),
                ('above', models.CharField(max_length=30)),
                ('upto', models.CharField(max_length=30)),
                ('messages', models.PositiveBigIntegerField()),
            ],
            options={
                'verbose_name_plural': 'held back',
                'db_table': 'held_back',
            },
        ),
        migrations.AddField(
            model_name='delivery',
            name='key',
            field=models.CharField(blank=True, db_default='', default='', max_length=24),
        ),
        migrations.AddField(
            model_name='subscription',
            name='earlier_filters',
            field=models.JSONField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='subscription',
            name='order_field',
            field=models.CharField(blank=True, db_default='', default='', help_text='With the order "field": for each value of it one after another.', max_length=100),
        ),
        migrations.AlterField(
            model_name='subscription',
            name='order',
            field=models.CharField(choices=[('none', 'none'), ('channel', 'channel'), ('field', 'field')], default='none', max_length=8),
        ),
        migrations.AlterField(
            model_name='undelivered',
            name='cause',
            field=models.CharField(choices=[('retention', 'deleted by retention before it was handed out'), ('expired', 'deleted by retention while it was on its way, waited for its turn, or was dead'), ('seek', 'the cursor was moved past it'), ('skip', 'somebody skipped it'), ('drop', 'somebody dropped the dead letter')], max_length=10),
        ),
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(condition=models.Q(models.Q(('state', 'dead'), _negated=True), models.Q(('key', ''), _negated=True)), fields=['subscription', 'key', 'position'], name='deliveries_of_a_key'),
        ),
        migrations.AddField(
            model_name='heldback',
            name='subscription',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='held_back', to='subscribers_app.subscription'),
        ),
        migrations.AddConstraint(
            model_name='heldback',
            constraint=models.UniqueConstraint(fields=('subscription', 'key'), name='one_row_of_a_key'),
        ),
    ]
