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
    ]
