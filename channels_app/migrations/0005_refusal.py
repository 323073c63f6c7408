from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('channels_app', '0004_retention'),
    ]

    operations = [
        migrations.AddField(
            model_name='channel',
            name='refusal',
            field=models.TextField(blank=True, default='', editable=False, help_text='Why Redis refuses this subscription alone.'),
        ),
        migrations.AlterField(
            model_name='gap',
            name='cause',
            field=models.CharField(choices=[('no listener', 'no listener'), ('connection lost', 'connection lost'), ('Redis restarted', 'Redis restarted'), ('memory full', 'memory full'), ('subscribed late', 'the listener that took over had only just subscribed'), ('hears nothing', 'the listener hears nothing'), ('refused', 'Redis refuses the subscription')], max_length=32),
        ),
    ]
