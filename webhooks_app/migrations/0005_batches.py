import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    """Formats with many messages in a request, and how many."""

    dependencies = [
        ("webhooks_app", "0004_tls"),
        ("subscribers_app", "0007_batches"),
    ]

    operations = [
        migrations.AlterField(
            model_name="webhook",
            name="format",
            field=models.CharField(
                choices=[
                    ("raw", "raw"),
                    ("standard", "standard"),
                    ("cloudevents-binary", "cloudevents-binary"),
                    ("cloudevents-structured", "cloudevents-structured"),
                    ("cloudevents-batch", "cloudevents-batch"),
                    ("ndjson", "ndjson"),
                ],
                default="standard",
                max_length=22,
            ),
        ),
        migrations.AddField(
            model_name="webhook",
            name="batch_messages",
            field=models.PositiveSmallIntegerField(
                blank=True,
                help_text="So many messages go together at most, in a format for batches. Empty: 100.",
                null=True,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(1000),
                ],
            ),
        ),
    ]
