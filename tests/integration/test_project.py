"""Django's own checks, and migrations that match the models."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.db.models import TextChoices

from leases_app.models import Lease

pytestmark = pytest.mark.django_db(databases=["default", "messages"])


def test_system_checks_are_clean() -> None:
    call_command("check", fail_level="WARNING", databases=["default", "messages"])


def test_migrations_match_the_models() -> None:
    out = StringIO()
    call_command("makemigrations", check=True, dry_run=True, stdout=out)
    assert "No changes detected" in out.getvalue()


def test_one_more_role_of_a_lease_needs_no_migration(monkeypatch: pytest.MonkeyPatch) -> None:
    class Role(TextChoices):
        SENDER = "sender", "sender"

    monkeypatch.setattr(Lease, "Role", Role)
    assert list(Lease._meta.get_field("role").choices or ()) == [("sender", "sender")]
    call_command("makemigrations", check=True, dry_run=True)
