import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('subscribers_app', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='SubscriptionCounts',
            fields=[
                ('subscription', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='counts', serialize=False, to='subscribers_app.subscription')),
                ('handed_out', models.PositiveBigIntegerField(default=0)),
                ('done', models.PositiveBigIntegerField(default=0)),
                ('uncounted', models.PositiveBigIntegerField(default=0)),
            ],
            options={
                'verbose_name_plural': 'subscription counts',
                'db_table': 'subscription_counts',
            },
        ),
    ]
