"""Making, changing and ending silences: the one place for every API and the admin.

The rows are locked together (the lock of the table's writers), since each change concerns all rules of the
kind `group`, which get another revision with it.
"""

from collections.abc import Mapping
from typing import Final
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.db.models import F, QuerySet

from access_app import audit
from alerts_app.models import Rule
from alerts_app.silencing.models import MOST_NOTE_CHARS, Silence
from relaybase.postgres.clock import NOW_MS, ClockTimestamp, Seconds
from relaycore.alerting.labelled import silences as deciding
from relaycore.alerting.labelled.refused import BadSilence, SilenceUnknown
from relaycore.alerting.labelled.silences import EXPIRED
from relaycore.alerting.labelled.silences import Silence as Decided
from relaycore.times import from_milliseconds

MOST: Final = 2_000
"""That have not ended."""

KEPT_SECONDS: Final = 120 * 3600
"""So long after its end one is shown, as in Alertmanager."""

_LOCK: Final = "LOCK TABLE silences IN SHARE ROW EXCLUSIVE MODE"


def put(
    asked: Decided, created_by: str, comment: str, annotations: Mapping[str, str] | None = None
) -> Silence:
    """Make a silence, or change the one of this id; its row, which may have another id.

    asked: with an empty id for a new one. What would change what was silenced makes another one, and ends the
        one that is there. `starts` 0: now.

    Raises:
        BadSilence: it cannot be meant; the text says why.
        SilenceUnknown: there is none of this id.
    """
    for name, text in (("createdBy", created_by), ("comment", comment)):
        if len(text) > MOST_NOTE_CHARS or "\x00" in text:
            raise BadSilence(f"{name} may have {MOST_NOTE_CHARS} characters, and none of them NUL.")
    with transaction.atomic():
        at = _begin()
        old = find(asked.id) if asked.id else None
        if old is not None and asked.starts and deciding.is_same_after(old.decided, asked, at):
            row = _written(old, asked, created_by, comment, annotations)
        else:
            new = deciding.beginning(asked, at)
            deciding.require_new(new, at)
            if Silence.objects.filter(ends_at__gt=from_milliseconds(at)).count() >= MOST:
                raise BadSilence(f"There are {MOST} silences already. Expire some first.")
            if old is not None:
                _end(old, at)
            row = _written(Silence(id=uuid4()), new, created_by, comment, annotations)
        _end_of_change()
        audit.record("silence put", [str(row.id)], matchers=row.matchers, by=created_by)
    return row


def require_new(asked: Decided) -> Decided:
    """The same, if one may begin like this now.

    Raises:
        BadSilence: it may not; the text says why.
    """
    at = now()
    deciding.require_new(deciding.beginning(asked, at), at)
    return asked


def expire(id: str) -> None:
    """End one now. One that has ended stays as it is.

    Raises:
        SilenceUnknown: there is none of this id.
    """
    with transaction.atomic():
        at = _begin()
        row = find(id)
        if row.decided.state(at) != EXPIRED:
            _end(row, at)
            _end_of_change()
            audit.record("silence expired", [str(row.id)])


def find(id: str) -> Silence:
    """The silence of this id.

    Raises:
        SilenceUnknown: there is none.
    """
    try:
        return Silence.objects.get(pk=UUID(id))
    except (ValueError, Silence.DoesNotExist) as exc:
        raise SilenceUnknown("There is no silence of this id.") from exc


def in_state(state: str | None, among: QuerySet[Silence] | None = None) -> QuerySet[Silence]:
    """Those that are pending, active or expired now; None: all."""
    found, at = Silence.objects.all() if among is None else among, ClockTimestamp()
    match state:
        case "pending":
            found = found.filter(starts_at__gt=at, ends_at__gt=at)
        case "active":
            found = found.filter(starts_at__lte=at, ends_at__gt=at)
        case "expired":
            found = found.filter(ends_at__lte=at)
    return found


def is_id(text: str) -> bool:
    """Whether it could be one."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def now() -> int:
    """PostgreSQL's clock, in milliseconds: silences begin and end by it, for people."""
    with connection.cursor() as sql:
        sql.execute(f"SELECT {NOW_MS}")
        (at,) = sql.fetchone()
    return int(at)


def _begin() -> int:
    with connection.cursor() as sql:
        sql.execute(_LOCK)
    return now()


def _written(
    row: Silence, asked: Decided, created_by: str, comment: str, annotations: Mapping[str, str] | None
) -> Silence:
    row.matchers = [matcher.shown() for matcher in asked.matchers]
    row.starts_at, row.ends_at = from_milliseconds(asked.starts), from_milliseconds(asked.ends)
    row.created_by, row.comment = created_by, comment
    row.annotations = dict(annotations or {})
    _save(row)
    return row


def _end(row: Silence, at: int) -> None:
    ended = deciding.ended(row.decided, at)
    row.starts_at, row.ends_at = from_milliseconds(ended.starts), from_milliseconds(ended.ends)
    _save(row)


def _save(row: Silence) -> None:
    row.updated_at = from_milliseconds(now())
    row.save()


def _end_of_change() -> None:
    """Processors learn of it, and what has ended long ago goes."""
    Rule.objects.filter(kind=Rule.Kind.GROUP).order_by().update(
        revision=F("revision") + 1, updated_at=ClockTimestamp()
    )
    Silence.objects.filter(ends_at__lt=ClockTimestamp() - Seconds(KEPT_SECONDS)).delete()
