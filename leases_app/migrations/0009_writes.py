from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('leases_app', '0008_generation'),
    ]

    operations = [
        migrations.AddField(
            model_name='lease',
            name='writes',
            field=models.PositiveBigIntegerField(db_default=0, default=0, help_text='Grows with whatever is written under this lease. Redis knows it too: less here, and PostgreSQL went back.'),
        ),
    ]
