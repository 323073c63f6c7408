"""Alerts at `/api/v1/alerts`."""

from typing import Any, ClassVar

from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access_app.permissions import Need, Needs, refusal, require, shown
from alerts_app import alerts
from alerts_app.alerts import Alert
from alerts_app.api import alert_schema as schema
from alerts_app.api.serializers import Acknowledge, Assign, Write
from alerts_app.handling import deciding
from alerts_app.models import Rule
from alerts_app.rights import HANDLE, SEE, find
from relaybase.http import cursors
from relaybase.http.fields import decided
from relaybase.http.parameters import Parameters
from relaycore.rights import READ


class AlertList(APIView):
    """What is open: of all rules whose channels may be read, or of one, ?rule=NAME.

    ?limit= up to 1000; a page may have some more, since all that is open of one key comes together.
    `starts_at` may lie ahead. `acknowledged` and `assigned` say who sees to it.
    """

    name = "Alerts"
    needs: ClassVar[Needs] = {"GET": SEE}

    @schema.alerts
    def get(self, request: Request) -> Response:
        """A page."""
        parameters = Parameters(request, "rule", "state", "limit", cursors.PARAMETER)
        parameters.one_of("state", [alerts.OPEN])
        name, cursor = parameters.text("rule"), parameters.text(cursors.PARAMETER)
        limit = parameters.limit()
        rules = [find(request, SEE, name)] if name is not None else list(_seen(request))
        try:
            page = alerts.page(rules, None if cursor is None else cursors.decode(cursor), limit)
        except ValueError as exc:
            raise cursors.bad_cursor() from exc
        return Response({"next": cursors.link(request, page.next), "results": page.rows})


class AlertDetail(APIView):
    """One alert, open or not, with all that was told of it and written about it.

    `history` are the messages about it, the oldest first, 1000 of the newest. One that has become part of
    another one is "merged", and is told of no more.
    """

    name = "Alert"
    needs: ClassVar[Needs] = {"GET": SEE}

    @schema.alert
    def get(self, request: Request, id: str) -> Response:
        """The alert."""
        Parameters(request)
        return Response(alerts.shown(_find(request, SEE, id)))


class AlertAcknowledge(GenericAPIView):  # type: ignore[type-arg]
    """Say that somebody sees to it. Who was first stands; DELETE takes it back. It ends with its alert."""

    name = "Acknowledge"
    needs: ClassVar[Needs] = {"POST": HANDLE, "DELETE": HANDLE}
    serializer_class = Acknowledge

    @schema.acknowledge
    def post(self, request: Request, id: str) -> Response:
        """Acknowledge."""
        alert, wanted = decided(self, request, lambda: _find(request, HANDLE, id))
        deciding.acknowledge(alert, _who(request), wanted["note"])
        return Response(alerts.shown(alert))

    @schema.release
    def delete(self, request: Request, id: str) -> Response:
        """Take it back."""
        Parameters(request)
        alert = _find(request, HANDLE, id)
        deciding.release(alert)
        return Response(alerts.shown(alert))


class AlertAssign(GenericAPIView):  # type: ignore[type-arg]
    """Say whose it is now; an empty `to`: it is nobody's. It ends with its alert."""

    name = "Assign"
    needs: ClassVar[Needs] = {"POST": HANDLE}
    serializer_class = Assign

    @schema.assign
    def post(self, request: Request, id: str) -> Response:
        """Assign."""
        alert, wanted = decided(self, request, lambda: _find(request, HANDLE, id))
        deciding.assign(alert, _who(request), wanted["to"])
        return Response(alerts.shown(alert))


class AlertNote(GenericAPIView):  # type: ignore[type-arg]
    """Write something about it, open or not."""

    name = "Note"
    needs: ClassVar[Needs] = {"POST": HANDLE}
    serializer_class = Write

    @schema.note
    def post(self, request: Request, id: str) -> Response:
        """Write."""
        alert, wanted = decided(self, request, lambda: _find(request, HANDLE, id))
        deciding.write(alert, _who(request), wanted["text"])
        return Response(alerts.shown(alert))


def _find(request: Request, need: Need, id: str) -> Alert:
    """The alert, for whoever may read what is told of it; to others it is not there.

    Raises:
        AlertUnknown: it is not there.
        PermissionDenied: he may read of it, and no more.
    """
    alert = alerts.find(id)
    if refusal(request, SEE, alert.channel) is not None:
        raise alerts.unknown()
    require(request, need, alert.channel)
    return alert


def _seen(request: Request) -> Any:
    rows = Rule.objects.select_related("channel", "to").order_by("pk")
    for column in ("channel", "to"):
        rows = rows.filter(shown(request, READ, f"{column}__channel"))
    return rows


def _who(request: Request) -> str:
    return str(request.user.get_username())
