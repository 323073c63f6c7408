from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('channels_app', '0008_gap_partitions'),
    ]

    operations = [
        migrations.AlterField(
            model_name='gap',
            name='cause',
            field=models.CharField(choices=[('no listener', 'no listener'), ('connection lost', 'connection lost'), ('Redis restarted', 'Redis restarted'), ('memory full', 'memory full'), ('subscribed late', 'the listener that took over had only just subscribed'), ('hears nothing', 'the listener hears nothing'), ('refused', 'Redis refuses the subscription'), ('vanished', 'heard, and gone from the stream before it was stored'), ('MongoDB restored', 'stored, and gone since MongoDB was restored'), ('PostgreSQL restored', 'PostgreSQL went back, and what it had on record is not known')], max_length=32),
        ),
    ]
