"""Which roles there are is not the table's concern: from here on another one needs no migration."""

from django.db import migrations, models

import leases_app.models


class Migration(migrations.Migration):
    dependencies = [("leases_app", "0009_writes")]

    operations = [
        migrations.AlterField(
            model_name="lease",
            name="role",
            field=models.CharField(choices=leases_app.models.roles, max_length=16),
        ),
    ]
