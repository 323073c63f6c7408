import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('channels_app', '0012_shortening'),
        ('subscribers_app', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='QueueClient',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=255, unique=True)),
                ('messages', models.PositiveBigIntegerField()),
            ],
            options={
                'db_table': 'queue_clients',
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='QueueConsumer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('subscription', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='subscribers_app.subscription')),
            ],
            options={
                'db_table': 'queue_consumers',
            },
        ),
        migrations.CreateModel(
            name='QueueProducer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('channel', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='channels_app.channel')),
            ],
            options={
                'db_table': 'queue_producers',
            },
        ),
    ]
