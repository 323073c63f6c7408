"""`manage.py endpoints`: keys, and encrypting by another one."""

from io import StringIO
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command

from access_app.models import AuditEntry
from relaybase.postgres import encrypting
from webhooks_app import keeping
from webhooks_app.models import Endpoint, EndpointSecret, Webhook

pytestmark = pytest.mark.django_db


def run(action: str) -> str:
    out = StringIO()
    call_command("endpoints", action, stdout=out)
    return out.getvalue()


def test_a_key_is_one_that_can_be_set(settings: Any) -> None:
    settings.RELAY_ENCRYPTION_KEYS = []
    assert Fernet(run("key").strip())
    assert run("key") != run("key")


def test_after_encrypting_anew_the_old_key_is_needed_no_more(pushed: Webhook, settings: Any) -> None:
    headers = {"Authorization": "Bearer s3cret"}
    old, new = encrypting.new_key(), encrypting.new_key()
    settings.RELAY_ENCRYPTION_KEYS = [old]
    Endpoint.objects.update(headers=keeping.headers_column(headers))
    EndpointSecret.objects.update(value=encrypting.encrypt(b"whsec_x"))
    settings.RELAY_ENCRYPTION_KEYS = [new, old]
    assert run("reencrypt") == "2 secrets are encrypted by the first of RELAY_ENCRYPTION_KEYS.\n"
    settings.RELAY_ENCRYPTION_KEYS = [new]
    assert keeping.headers_of(Endpoint.objects.get().headers) == headers
    assert encrypting.decrypt(EndpointSecret.objects.get().value) == b"whsec_x"
    assert AuditEntry.objects.get(action="secrets encrypted anew").details == {"secrets": 2}


def test_what_no_key_reads_is_said(pushed: Webhook, settings: Any) -> None:
    EndpointSecret.objects.update(value=encrypting.encrypt(b"whsec_x"))
    settings.RELAY_ENCRYPTION_KEYS = [encrypting.new_key()]
    with pytest.raises(CommandError, match="lacks the key"):
        run("reencrypt")


def test_endpoints_are_listed(pushed: Webhook) -> None:
    assert run("list") == "billing\toperator\thttps://example.org/hook\tpending\n"
