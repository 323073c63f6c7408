"""What is done: the one place for the API and the pages.

An acknowledgement, and whose it is, are of one alert and end with it: the next one of the same key has
another id. So both are said of what is open only. Notes may be written for as long as anything is known of
it.
"""

from typing import Final

from django.db import transaction

from access_app import audit
from alerts_app import alerts
from alerts_app.alerts import Alert
from alerts_app.handling import telling
from alerts_app.handling.models import Handled
from alerts_app.models import Acknowledgement, Assignment, Note, Rule
from relaycore.alerting.acknowledging import ACKNOWLEDGE, RELEASE
from relaycore.alerting.errors import AlertUnknown

NOT_OPEN: Final = "This alert is not open any more, so nobody has to see to it."
NO_RULE: Final = "The rule of this alert was deleted, or has begun anew, so there is no place for notes."


def acknowledge(alert: Alert, by: str, note: str = "") -> Acknowledgement:
    """Somebody has seen it. Who was first stands.

    Raises:
        AlertUnknown: it is not open.
    """
    rule = _open(alert)
    with transaction.atomic():
        row, is_new = Acknowledgement.objects.get_or_create(
            alert=alert.id, defaults={"rule": rule, "by": by, "note": note}
        )
        if is_new:
            _tell(alert, rule, ACKNOWLEDGE)
            audit.record("alert acknowledged", [alert.id], rule=rule.name)
    row.refresh_from_db()
    return row


def release(alert: Alert) -> None:
    """Nobody has seen it, after all.

    Raises:
        AlertUnknown: it is not open.
    """
    rule = _open(alert)
    with transaction.atomic():
        if Acknowledgement.objects.filter(alert=alert.id).delete()[0]:
            _tell(alert, rule, RELEASE)
            audit.record("alert no longer acknowledged", [alert.id], rule=rule.name)


def assign(alert: Alert, by: str, to: str) -> None:
    """It is his now, whoever had it before; empty: it is nobody's.

    Raises:
        AlertUnknown: it is not open.
    """
    rule = _open(alert)
    with transaction.atomic():
        Assignment.objects.filter(alert=alert.id).delete()
        if to:
            Assignment.objects.update_or_create(alert=alert.id, defaults={"rule": rule, "by": by, "to": to})
        audit.record("alert assigned", [alert.id], rule=rule.name, to=to)


def write(alert: Alert, by: str, text: str) -> Note:
    """A note about it.

    Raises:
        AlertUnknown: there is no rule any more that it could hang on.
    """
    if alert.rule is None:
        raise AlertUnknown(NO_RULE)
    with transaction.atomic():
        row = Note.objects.create(alert=alert.id, rule=alert.rule, by=by, text=text)
        audit.record("alert noted", [alert.id], rule=alert.rule.name)
    row.refresh_from_db()
    return row


def _tell(alert: Alert, rule: Rule, event: str) -> None:
    """It is told on the channel of the alert once this is committed, whatever dies then."""
    if rule.kind == Rule.Kind.GROUP:
        return  # Whoever reads its channel was made for Alertmanager, and takes each message for a notice.
    Handled.objects.create(rule=rule, rule_uuid=rule.uuid, alert=alert.id, event=event)
    transaction.on_commit(telling.tell_soon)


def _open(alert: Alert) -> Rule:
    """Its rule.

    Raises:
        AlertUnknown: it is not open.
    """
    if alert.state != alerts.OPEN or alert.rule is None:
        raise AlertUnknown(NOT_OPEN)
    return alert.rule
