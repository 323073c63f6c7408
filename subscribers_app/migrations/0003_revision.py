"""The revision of what a subscription is set to, and names that no client folds."""

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('subscribers_app', '0002_counts'),
    ]

    operations = [
        migrations.AddField(
            model_name='subscription',
            name='revision',
            field=models.PositiveBigIntegerField(db_default=1, default=1, editable=False),
        ),
        migrations.AlterField(
            model_name='subscription',
            name='name',
            field=models.CharField(max_length=100, unique=True, validators=[django.core.validators.RegexValidator('\\A(?!\\.{1,2}$)[A-Za-z0-9._-]{1,100}\\Z', 'A name has 1 to 100 letters, digits, dots, underscores and dashes, and not one or two dots alone.')]),
        ),
    ]
