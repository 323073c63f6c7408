from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("messages_app", "0006_alert_id")]

    operations = [
        migrations.AddField(
            model_name="quarantined",
            name="sent",
            field=models.CharField(
                help_text="Where it stands since it was sent again.", max_length=30, null=True
            ),
        ),
    ]
