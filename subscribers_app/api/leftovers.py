"""Dead letters, skipping, and what ended undelivered."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, ClassVar

from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access_app.permissions import Needs
from relaybase.http import cursors
from relaybase.http.fields import decided
from relaybase.http.parameters import Parameters
from relaycore.position import is_position
from subscribers_app import dead, ended
from subscribers_app.api import schema
from subscribers_app.api.found import CHANGE, SEE, find
from subscribers_app.api.rows import ended as ended_row
from subscribers_app.api.rows import letter
from subscribers_app.api.rows import parked as parked_row
from subscribers_app.api.serializers import Skip, WhichDead
from subscribers_app.dead import Done, Which
from subscribers_app.pulling import holding


class DeadLetters(APIView):
    """Messages that were handed out as often as they may be, in their order; ?limit= up to 1000.

    They stay until somebody redrives or drops them. `expired`: retention has deleted the message, and it
    cannot be handed out again.
    """

    name = "Dead letters"
    needs: ClassVar[Needs] = {"GET": SEE}

    @schema.dead_letters
    def get(self, request: Request, name: str) -> Response:
        """A page."""
        parameters = Parameters(request, "limit", cursors.PARAMETER)
        found = dead.letters(find(request, SEE, name))
        if (cursor := parameters.text(cursors.PARAMETER)) is not None:
            found = found.filter(position__gt=_position(cursor))
        limit = parameters.limit()
        page = list(found[: limit + 1])
        last = page[limit - 1].position if len(page) > limit else None
        gone = dead.expired(page[:limit])
        rows = [letter(one, one.position in gone) for one in page[:limit]]
        return Response({"next": cursors.link(request, last), "results": rows})


class ParkedKeys(APIView):
    """Values of the field that it is in order by whose message fails, by their keys; ?limit= up to 1000.

    Nothing else of such a value is handed out, until the message is done, dead or skipped. `waiting`: so many
    wait behind it, at most. `since`: it was handed out first. `again_at`: it is again from then on.
    """

    name = "Parked"
    needs: ClassVar[Needs] = {"GET": SEE}

    @schema.parked
    def get(self, request: Request, name: str) -> Response:
        """A page."""
        parameters = Parameters(request, "limit", cursors.PARAMETER)
        row, cursor = find(request, SEE, name), parameters.text(cursors.PARAMETER)
        above, limit = "" if cursor is None else cursors.decode(cursor), parameters.limit()
        page = holding.parked(row.pk, above, limit + 1)
        last = page[limit - 1].key if len(page) > limit else None
        results = [parked_row(one) for one in page[:limit]]
        return Response({"next": cursors.link(request, last), "results": results})


class _Decision(GenericAPIView):  # type: ignore[type-arg]
    needs: ClassVar[Needs] = {"POST": CHANGE}
    serializer_class = WhichDead

    def _decide(self, request: Request, name: str, do: Callable[..., Done]) -> Done:
        row, wanted = decided(self, request, lambda: find(request, CHANGE, name))
        return do(row, Which(wanted.get("ids"), wanted.get("since")), dry_run=wanted["dry_run"])


class Redrive(_Decision):
    """Hand dead letters out again: those of these `ids`, those that died `since` a time, or `all`.

    `expired`: so many cannot be, since retention has deleted the message. `above_cursor`: so many stay, since
    the cursor was moved back and comes by them anyway. With `dry_run` nothing is changed.
    """

    name = "Redrive"

    @schema.redrive
    def post(self, request: Request, name: str) -> Response:
        """Redrive."""
        done = self._decide(request, name, dead.redrive)
        stays = {"expired": done.expired, "above_cursor": done.above_cursor}
        return Response({"messages": done.messages, **stays})


class Drop(_Decision):
    """Let dead letters go, on record: those of these `ids`, those that died `since` a time, or `all`."""

    name = "Drop"

    @schema.drop
    def post(self, request: Request, name: str) -> Response:
        """Drop."""
        return Response({"messages": self._decide(request, name, dead.drop).messages})


class SubscriptionSkip(GenericAPIView):  # type: ignore[type-arg]
    """Let one message go, on record, that is on its way or dead. What it held back goes on."""

    name = "Skip"
    needs: ClassVar[Needs] = {"POST": CHANGE}
    serializer_class = Skip

    @schema.skip
    def post(self, request: Request, name: str) -> Response:
        """Skip."""
        row, wanted = decided(self, request, lambda: find(request, CHANGE, name))
        dead.skip(row, wanted["id"])
        return Response({"messages": 1})


class UndeliveredList(APIView):
    """What ended undelivered, and why, the last first; ?since=TIME, ?limit= up to 1000.

    `cause`: "retention" (deleted before it was handed out), "expired" (deleted while it was on its way),
    "seek" (the cursor was moved past it), "age" (it was too old to be pushed), "skip", "drop", or "dead",
    which may be redriven. What is meant stands above the position `after`, up to `upto`; `after` is null for
    a dead letter. `messages`: at most so many; null: it is not known.
    """

    name = "Undelivered"
    needs: ClassVar[Needs] = {"GET": SEE}

    @schema.undelivered
    def get(self, request: Request, name: str) -> Response:
        """A page."""
        parameters = Parameters(request, "since", "limit", cursors.PARAMETER)
        row = find(request, SEE, name)
        cursor, limit = parameters.text(cursors.PARAMETER), parameters.limit()
        behind = None if cursor is None else _place(cursor)
        page = ended.read(row, limit + 1, parameters.time("since"), behind)
        last = _key(page[limit - 1].place) if len(page) > limit else None
        rows: list[dict[str, Any]] = list(map(ended_row, page[:limit]))
        return Response({"next": cursors.link(request, last), "results": rows})


def _position(cursor: str) -> str:
    position = cursors.decode(cursor)
    if not is_position(position):
        raise cursors.bad_cursor()
    return position


def _key(place: ended.Place) -> str:
    return f"{place.at.isoformat()} {place.kind} {place.number}"


def _place(cursor: str) -> ended.Place:
    try:
        at, kind, number = cursors.decode(cursor).split(" ")
        place = ended.Place(datetime.fromisoformat(at), kind, int(number))
    except ValueError as exc:
        raise cursors.bad_cursor() from exc
    # PostgreSQL knows no zone as far off as Python does. Links have UTC.
    if place.at.utcoffset() != timedelta(0) or not 0 <= place.number < 1 << 63:
        raise cursors.bad_cursor()
    return place
