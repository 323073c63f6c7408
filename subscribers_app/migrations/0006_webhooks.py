"""Subscriptions whose cursor a sender moves."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('subscribers_app', '0005_order_by_field'),
    ]

    operations = [
        migrations.AlterField(
            model_name='subscription',
            name='kind',
            field=models.CharField(choices=[('pull', 'pull'), ('webhook', 'webhook')], default='pull', editable=False, max_length=8),
        ),
        migrations.AlterField(
            model_name='undelivered',
            name='cause',
            field=models.CharField(choices=[('retention', 'deleted by retention before it was handed out'), ('expired', 'deleted by retention while it was on its way, waited for its turn, or was dead'), ('seek', 'the cursor was moved past it'), ('skip', 'somebody skipped it'), ('drop', 'somebody dropped the dead letter'), ('age', 'older than the subscription wants')], max_length=10),
        ),
    ]
