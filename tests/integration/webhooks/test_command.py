"""`manage.py endpoints`: keys, and encrypting by another one."""

from io import StringIO
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command

from access_app.models import AuditEntry
from channels_app.models import Channel
from relaybase.connections import mongo_collection
from relaybase.postgres import encrypting
from relaycore.delivering.beginning import parse
from relaycore.position import START
from relaycore.sending.answers import Failure
from subscribers_app import registration as subscriptions
from subscribers_app.models import Subscription
from tests.integration.webhooks.receiver import Receiver
from webhooks_app import attempts, keeping, registration
from webhooks_app.attempts import Attempted
from webhooks_app.models import Endpoint, EndpointSecret, Webhook
from webhooks_app.subscribing import to_endpoint

pytestmark = pytest.mark.django_db


def run(*words: str, command: str = "endpoints") -> str:
    out = StringIO()
    call_command(command, *words, stdout=out)
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
    assert AuditEntry.objects.get(action="secrets encrypted anew").details == {"secrets": 2, "unread": []}


def test_of_whom_no_key_reads_something_is_said_and_the_others_go_on(
    pushed: Webhook, operator: Any, settings: Any
) -> None:
    old, new = settings.RELAY_ENCRYPTION_KEYS, encrypting.new_key()
    EndpointSecret.objects.update(value=encrypting.encrypt(b"whsec_x"))
    settings.RELAY_ENCRYPTION_KEYS = [encrypting.new_key()]
    registration.create("readable", operator, url="https://example.org/other", headers={"X-Team": "a"})
    settings.RELAY_ENCRYPTION_KEYS = [new, *settings.RELAY_ENCRYPTION_KEYS]
    with pytest.raises(CommandError, match=r"encrypted by another key: billing\. Put that key"):
        run("reencrypt")
    assert AuditEntry.objects.get(action="secrets encrypted anew").details["unread"] == ["billing"]
    settings.RELAY_ENCRYPTION_KEYS = [new]
    row = Endpoint.objects.get(name="readable")
    assert keeping.headers_of(row.headers) == {"X-Team": "a"}
    assert keeping.signing(row)
    settings.RELAY_ENCRYPTION_KEYS = [new, *old]
    assert run("reencrypt").startswith("3 secrets")


def test_endpoints_are_listed(pushed: Webhook) -> None:
    assert run("list") == "billing\toperator\thttps://example.org/hook\tpending\tclosed\t-\n"


def test_one_is_disabled_and_enabled_and_that_is_on_record(pushed: Webhook) -> None:
    Endpoint.objects.update(state="active", confirmed_at=Channel.objects.now())
    assert run("disable", "billing", "--reason", "It moves.") == "Disabled billing.\n"
    assert "disabled (It moves.)" in run("list")
    assert run("enable", "billing", "--from", "latest") == "Enabled billing. It is active.\n"
    assert AuditEntry.objects.filter(action="endpoint enabled", target="billing").exists()
    assert Subscription.objects.get().position > START


def test_a_test_message_is_sent_and_its_answer_printed(operator: Any, receiver: Receiver) -> None:
    registration.create("there", operator, url=receiver.url, confirmation="vouched")
    assert run("test", "there").startswith("200\t")
    assert len(receiver.got) == 1


def test_nothing_is_sent_to_one_that_is_not_confirmed(pushed: Webhook) -> None:
    with pytest.raises(CommandError, match="not confirmed"):
        run("test", "billing")
    with pytest.raises(CommandError, match="There is no endpoint"):
        run("enable", "nobody")


def test_attempts_are_listed_the_newest_first_and_no_more_than_wanted(pushed: Webhook, archive: Any) -> None:
    mongo_collection(attempts.COLLECTION).delete_many({})
    for number in (1, 2, 3):
        one = Attempted(
            at=Channel.objects.now(),
            subscription=pushed.subscription_id,
            subscription_name="billing",
            endpoint=pushed.endpoint_id,
            endpoint_name="billing",
            message=b"m" * 12,
            position="p",
            attempt=number,
            webhook_id="b" * 24 if number == 3 else (b"m" * 12).hex(),
            status=None if number == 1 else 500,
            failure=Failure.TIMEOUT if number == 1 else None,
            seconds=0.25,
            answer=b"a\nb",
        )
        attempts.record([one])
    lines = run("attempts", "billing", "--limit", "2", command="subscriptions").splitlines()
    assert [line.split("\t")[2:] for line in lines] == [
        ["3", "500", "0.250", '"a\\nb"', f"batch {'b' * 24}"],
        ["2", "500", "0.250", '"a\\nb"'],
    ]
    every = run("attempts", "billing", command="subscriptions").splitlines()
    assert every[-1].split("\t")[2:4] == ["1", "timeout"]
    mongo_collection(attempts.COLLECTION).delete_many({})


def test_a_subscription_is_tried_out_at_its_endpoint(operator: Any, orders: Any, receiver: Receiver) -> None:
    row, _ = registration.create("there", operator, url=receiver.url, confirmation="vouched")
    making = to_endpoint(row, {})
    start = parse("earliest")
    subscriptions.create_all([("pushed", "orders")], "lease", start, Subscription.Kind.WEBHOOK, making)
    subscriptions.create("pulled", "orders", "lease", start)
    assert run("test", "pushed", command="subscriptions").startswith("200\t")
    assert receiver.got[-1].json["type"] == "relay.test"
    with pytest.raises(CommandError, match="programs fetch"):
        run("test", "pulled", command="subscriptions")


def test_dead_letters_are_sent_again(pushed: Webhook) -> None:
    assert run("redrive", "billing", "--all", command="subscriptions") == "0 handed out again.\n"
    with pytest.raises(CommandError):
        run("redrive", "billing", command="subscriptions")
