from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('channels_app', '0006_first_heard_at'),
    ]

    operations = [
        migrations.AddField(
            model_name='gap',
            name='first_number',
            field=models.PositiveBigIntegerField(editable=False, help_text='The running number of the first message that has vanished.', null=True),
        ),
        migrations.AlterField(
            model_name='gap',
            name='cause',
            field=models.CharField(choices=[('no listener', 'no listener'), ('connection lost', 'connection lost'), ('Redis restarted', 'Redis restarted'), ('memory full', 'memory full'), ('subscribed late', 'the listener that took over had only just subscribed'), ('hears nothing', 'the listener hears nothing'), ('refused', 'Redis refuses the subscription'), ('vanished', 'heard, and gone from the stream before it was stored'), ('MongoDB restored', 'stored, and gone since MongoDB was restored')], max_length=32),
        ),
    ]
