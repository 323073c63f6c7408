from django.db import migrations, models


class Migration(migrations.Migration):
    """With which others a message is sent again. Code of before writes rows without it."""

    dependencies = [("subscribers_app", "0006_webhooks")]

    operations = [
        migrations.AddField(
            model_name="delivery",
            name="batch",
            field=models.CharField(blank=True, db_default="", default="", max_length=24),
        ),
    ]
