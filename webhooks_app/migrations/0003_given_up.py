from django.db import migrations, models


class Migration(migrations.Migration):
    """Whether it was a sender that has disabled an endpoint. Code of before writes rows without it."""

    dependencies = [("webhooks_app", "0002_attempts")]

    operations = [
        migrations.AddField(
            model_name="endpoint",
            name="is_given_up",
            field=models.BooleanField(
                db_default=False,
                default=False,
                editable=False,
                help_text="A sender has disabled it, and no person.",
            ),
        ),
    ]
