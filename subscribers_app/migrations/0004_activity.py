import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('subscribers_app', '0003_revision'),
    ]

    operations = [
        migrations.AddField(
            model_name='subscriptioncounts',
            name='done_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='subscriptioncounts',
            name='handed_out_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='subscriptioncounts',
            name='nacked',
            field=models.PositiveBigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='subscriptioncounts',
            name='nacked_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.CreateModel(
            name='SubscriptionMinute',
            fields=[
                ('pk', models.CompositePrimaryKey('subscription_id', 'is_odd', blank=True, editable=False, primary_key=True, serialize=False)),
                ('is_odd', models.BooleanField()),
                ('minute', models.BigIntegerField(help_text='Since 1970.')),
                ('handed_out', models.PositiveBigIntegerField()),
                ('done', models.PositiveBigIntegerField()),
                ('nacked', models.PositiveBigIntegerField()),
                ('uncounted', models.PositiveBigIntegerField()),
                ('subscription', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='minutes', to='subscribers_app.subscription')),
            ],
            options={
                'db_table': 'subscription_minutes',
            },
        ),
    ]
