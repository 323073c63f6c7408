from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('leases_app', '0010_roles'),
    ]

    operations = [
        migrations.AddField(
            model_name='lease',
            name='appended',
            field=models.PositiveBigIntegerField(db_default=0, default=0, help_text='The highest running number of a message that its holder knows to have been appended. A Redis that has lost everything knows less.'),
        ),
    ]
