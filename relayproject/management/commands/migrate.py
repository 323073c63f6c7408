"""`manage.py migrate`: Django's, and what somebody has dropped is made again."""

from typing import Any, Final

import pymongo
from django.core.management.base import CommandError
from django.core.management.commands import migrate

from relaybase.mongo import shape
from relaycore.errors import UnfitServer
from relayproject import checks, migrating

_MOST_SECONDS: Final = 86_400


class Command(migrate.Command):
    """After the migrations it makes what they have made before, and what is missing all the same."""

    def check(self, *args: Any, **kwargs: Any) -> None:
        """What this command is there to mend does not keep it from running."""
        with checks.while_migrating():
            super().check(*args, **kwargs)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run."""
        # The web's patience is too short for the index of a large archive.
        with pymongo.timeout(_MOST_SECONDS):
            super().handle(*args, **options)
            only_asked = options["plan"] or options["check_unapplied"]
            if options["database"] == "messages" and not only_asked:
                self._mend(options["verbosity"])

    def _mend(self, verbosity: int) -> None:
        if migrating.unapplied("messages") is not None:
            return  # Somebody went back to a migration before: the models are not yet what it makes.
        try:
            made = shape.mend()
        except UnfitServer as exc:
            raise CommandError(str(exc)) from exc
        for what in made if verbosity else ():
            self.stdout.write(f"  Made again {what}")
