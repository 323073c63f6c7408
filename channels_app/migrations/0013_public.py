from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('channels_app', '0012_shortening'),
    ]

    operations = [
        migrations.AlterField(
            model_name='channel',
            name='public',
            field=models.BooleanField(db_default=False, default=False, help_text='Whoever reaches this server may watch it live, unasked.'),
        ),
    ]
