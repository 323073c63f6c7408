"""Tickets for browsers (`access_app.watching.tickets`)."""

from typing import Any, ClassVar, Final

from rest_framework import serializers, status
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from access_app.models import Token
from access_app.permissions import Needs, require
from access_app.watching import tickets
from channels_app import presence
from live.api import schema
from live.api.views import WATCH
from live.asking import MOST_CHANNELS
from relaybase.http.fields import Strict, Text, Whole
from relaybase.http.parameters import Parameters

LIFETIME_SECONDS: Final = 3600


class NewTicket(Strict):
    """The body of a POST."""

    channels = serializers.ListField(
        child=Text(trim_whitespace=False, allow_blank=True), allow_empty=False, max_length=MOST_CHANNELS
    )
    lifetime_seconds = Whole(
        default=LIFETIME_SECONDS, min_value=tickets.LEAST_SECONDS, max_value=tickets.MOST_SECONDS
    )


class TicketList(GenericAPIView):  # type: ignore[type-arg]
    """Tickets for browsers, which can send no header: ?ticket=TICKET.

    Good for watching these channels until it expires, if it is used within a minute; for reconnects too. It
    ends with the token that has made it, and sees nothing that the token may not. It is shown once.
    """

    name = "Live tickets"
    needs: ClassVar[Needs] = {"POST": WATCH}
    serializer_class = NewTicket

    @schema.ticket
    def post(self, request: Request) -> Response:
        """Make one."""
        Parameters(request)
        asked = self.get_serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted: dict[str, Any] = asked.validated_data
        channels = list(dict.fromkeys(wanted["channels"]))
        for channel in channels:
            require(request, WATCH, channel)
        for channel in channels:
            presence.require(channel)
        token = request.auth if isinstance(request.auth, Token) else None
        made, expires_at = tickets.make(request.user, token, channels, wanted["lifetime_seconds"])
        answer = {"ticket": made, "expires_at": expires_at}
        return Response(answer, status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})
