from django.db import migrations, models


class Migration(migrations.Migration):
    """Whom an endpoint has to be signed by, and as whom Relay comes. Code of before writes rows without it."""

    dependencies = [("webhooks_app", "0003_given_up")]

    operations = [
        migrations.AddField(
            model_name="endpoint",
            name="tls_ca",
            field=models.TextField(
                blank=True, db_default="", default="", help_text="In PEM. Empty: the authorities of the system."
            ),
        ),
        migrations.AddField(
            model_name="endpoint",
            name="tls_certificate",
            field=models.TextField(
                blank=True, db_default="", default="", help_text="In PEM: as whom Relay comes. Empty: as nobody."
            ),
        ),
        migrations.AddField(
            model_name="endpoint",
            name="tls_key",
            field=models.BinaryField(
                db_default=b"", default=b"", help_text="Encrypted: the key to it, in PEM. Empty: none."
            ),
        ),
    ]
