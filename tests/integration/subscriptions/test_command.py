"""`manage.py subscriptions`."""

from typing import Any

import pytest
from django.core.management import CommandError, call_command

from access_app.models import AuditEntry
from relaycore.delivering.leasing import State
from relaycore.position import START
from subscribers_app.models import Delivery, Subscription
from tests.integration.subscriptions.conftest import at, give, key, moment, subscribe

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(capsys: Any) -> Any:
    """What a command prints."""

    def of(*arguments: str) -> str:
        call_command("subscriptions", *arguments)
        return str(capsys.readouterr().out)

    return of


def test_it_makes_shows_changes_and_deletes(run: Any, orders: Any, store: Any) -> None:
    store(1, 2)
    made = run(
        *("create", "billing", "orders", "--mode", "lease", "--start", "earliest", "--max-deliveries", "5"),
        *("--filter", '{"kind": ["new"]}', "--ack-deadline", "60"),
    )
    assert made == f"Made billing. It begins above {START}.\n"
    assert run("list") == "billing\torders\tlease\tactive\t2+\n"
    assert run("list", "--channel", "bills") == run("list", "--state", "paused") == ""
    run("change", "billing", "--filter", "null", "--delay", "5")
    shown = dict(line.split("\t") for line in run("show", "billing").splitlines())
    assert shown == {
        "channel": "orders",
        "mode": "lease",
        "state": "active",
        "filter": "null",
        "filter_scope": '"body"',
        "delay_seconds": "5",
        "ack_deadline_seconds": "60",
        "max_deliveries": "5",
        "max_outstanding": "1000",
        "order": '"none"',
        "position": START,
        "not done": "2",
        "dead": "0",
    }
    run("pause", "billing", "--reason", "closed")
    assert "state\tpaused (closed)\n" in run("show", "billing")
    assert run("resume", "billing", "--from", "latest") == f"billing goes on above {at(2)}.\n"
    run("delete", "billing")
    assert not Subscription.objects.exists()
    assert AuditEntry.objects.filter(target="billing", via__startswith="command").count() >= 5


def test_it_makes_one_in_order_by_a_field(run: Any, orders: Any) -> None:
    begin = ("create", "billing", "orders", "--mode", "lease", "--start", "earliest")
    for wrong in (
        ("--order", "field"),
        ("--order-field", "customer"),
        ("--order", "field", "--order-field", ""),
    ):
        with pytest.raises(CommandError, match="field to order by"):
            run(*begin, *wrong)
    run(*begin, "--order", "field", "--order-field", "customer")
    assert 'order\t{"field": "customer"}\n' in run("show", "billing")
    with pytest.raises(CommandError, match="for good"):
        run("change", "billing", "--order", "none")


def test_it_moves_the_cursor(run: Any, orders: Any, store: Any) -> None:
    store(1, 2, 3)
    subscribe()
    assert run("lag", "billing").split("\t")[0] == "3"
    said = run("seek", "billing", "--to", at(2), "--dry-run")
    assert said == f"billing would go from {START} to {at(2)}. Messages that are not handed out: 2.\n"
    assert Subscription.objects.get().position == START
    run("seek", "billing", "--to", "latest")
    assert run("lag", "billing") == "0\t-\n"
    assert "handed out again: 1." in run("seek", "billing", "--to", moment(3).isoformat())


def test_it_decides_about_dead_letters(run: Any, orders: Any, store: Any) -> None:
    store(1, 2)
    give(subscribe(), [1, 2, 3], State.DEAD, why="given back")
    lines = [line.split("\t") for line in run("dead", "billing").splitlines()]
    assert [(id, state, why) for id, _, _, state, why in lines] == [
        (key(1).hex(), "stored", "given back"),
        (key(2).hex(), "stored", "given back"),
        (key(3).hex(), "expired", "given back"),
    ]
    assert run("redrive", "billing", "--all", "--dry-run").startswith("2 would be handed out again.")
    assert run("redrive", "billing", "--id", key(1).hex()) == "1 handed out again.\n"
    assert run("drop", "billing", "--since", "2020-01-01") == "2 dropped.\n"
    assert [one.position for one in Delivery.objects.all()] == [at(1)]


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "none"],
        ["create", "billing", "orders", "--mode", "cursor", "--start", "earliest", "--max-deliveries", "1"],
        ["create", "billing", "never", "--mode", "cursor", "--start", "earliest"],
        ["create", "billing", "orders", "--mode", "cursor", "--start", "noon"],
        ["create", "billing", "orders", "--mode", "lease", "--start", "earliest", "--ack-deadline", "0"],
        ["create", "billing", "orders", "--mode", "lease", "--start", "earliest", "--filter", "{"],
        ["change", "there"],
        ["drop", "there"],
        ["drop", "there", "--id", "xyz"],
    ],
)
def test_what_cannot_be_meant_is_said(orders: Any, arguments: list[str]) -> None:
    subscribe("there")
    with pytest.raises(CommandError):
        call_command("subscriptions", *arguments)
    assert Subscription.objects.count() == 1


def test_without_mongodb_a_list_is_a_list(
    run: Any, orders: Any, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(1)
    subscribe()
    monkeypatch.setattr("subscribers_app.lag.SECONDS", 0.0)
    assert run("list") == "billing\torders\tlease\tactive\t?\n"
