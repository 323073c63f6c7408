from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('leases_app', '0007_is_protected'),
    ]

    operations = [
        migrations.AddField(
            model_name='partitioning',
            name='generation',
            field=models.PositiveIntegerField(default=1, help_text='Grows by one with each change of it.'),
        ),
    ]
