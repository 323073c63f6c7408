"""What goes on as it did: the statement in PostgreSQL judges as `relaycore.receiving.states`."""

from collections.abc import Iterator
from itertools import product
from typing import Any, Final

import pytest
from django.db import connection

from alerts_app.receiving import posting
from alerts_app.receiving.models import HeardAlert, Transition
from relaybase.postgres.clock import NOW_MS
from relaycore.alerting.labelled import posted
from relaycore.alerting.labelled.labels import fingerprint
from relaycore.alerting.labelled.posted import Alert
from relaycore.receiving import states
from relaycore.receiving.states import State

pytestmark = pytest.mark.django_db(transaction=True)

AT: Final = 1_700_000_000_000

TIMES: Final = range(AT - 4, AT + 5)
"""Four on each side of now: all orders in which two starts and two ends can stand to it and to each other."""

Pair = tuple[State, Alert]


@pytest.fixture(autouse=True)
def _stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL's clock, in that statement: else nothing would be at its very end."""
    assert NOW_MS in posting._GO_ON
    monkeypatch.setattr(posting, "_GO_ON", posting._GO_ON.replace(NOW_MS, str(AT)))


def _pairs() -> Iterator[Pair]:
    """What is known and what is said of it: each state, with all times."""
    choices = product((True, False), TIMES, TIMES, TIMES, TIMES)
    for number, (is_firing, began, ended, starts, ends) in enumerate(choices):
        labels = {"alertname": str(number)}
        known = Alert(
            fingerprint(labels), labels, {"said": "before"}, "http://before/", began, ended, number % 2 > 0
        )
        said = Alert(known.fingerprint, labels, {"said": "now"}, "http://now/", starts, ends, number % 3 > 0)
        yield State(known, is_firing), said


def _as_row(state: State, updated: int) -> dict[str, Any]:
    return {
        "fingerprint": state.alert.fingerprint,
        **posted.kept(state.alert),
        "is_firing": state.is_firing,
        "updated": updated,
    }


def test_of_all_states_and_times_the_same_go_on_and_become_the_same() -> None:
    pairs = list(_pairs())
    HeardAlert.objects.bulk_create(HeardAlert(**_as_row(known, 0)) for known, _ in pairs)

    with connection.cursor() as sql:
        left = {alert.fingerprint for alert in posting._go_on(sql, [said for _, said in pairs])}

    rows = {row["fingerprint"]: row for row in HeardAlert.objects.values()}
    go_on = 0
    for known, said in pairs:
        does = states.goes_on(known, said, AT)
        go_on += does
        assert (said.fingerprint not in left) is does, (known, said)
        expected = _as_row(states.gone_on(known, said), AT) if does else _as_row(known, 0)
        assert rows[said.fingerprint] == expected, (known, said)
    assert 0 < go_on < len(pairs) / 2
    assert not Transition.objects.exists()


def test_what_nothing_is_known_of_does_not_go_on() -> None:
    _, said = next(_pairs())
    with connection.cursor() as sql:
        assert posting._go_on(sql, [said]) == [said]
    assert not HeardAlert.objects.exists()
