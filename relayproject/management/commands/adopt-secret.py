"""`manage.py adopt-secret`: work with another RELAY_SECRET_KEY."""

from typing import Any

from django.core.management.base import BaseCommand

from leases_app import deployment
from relayproject.management.silence import require_silence


class Command(BaseCommand):
    """Records the secret, so that nobody with the one before starts any more."""

    help = "Work with this RELAY_SECRET_KEY from now on, while everything else is stopped."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run."""
        require_silence()
        if deployment.adopt_secret():
            self.stdout.write("This RELAY_SECRET_KEY is recorded. Start everything with it.")
        else:
            self.stdout.write("This RELAY_SECRET_KEY is the recorded one already.")
