from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('leases_app', '0003_partitioning'),
    ]

    operations = [
        migrations.CreateModel(
            name='Deployment',
            fields=[
                ('id', models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ('identity', models.CharField(help_text='By chance, and never another one.', max_length=32)),
                ('secret', models.CharField(help_text='A digest that shows whether RELAY_SECRET_KEY is it.', max_length=64)),
            ],
            options={
                'db_table': 'deployment',
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='one_row_of_deployment')],
            },
        ),
    ]
