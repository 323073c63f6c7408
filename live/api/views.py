"""The addresses of those who watch. What a program asks is answered before Django (`live.application`)."""

from typing import ClassVar, Final

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access_app.permissions import Need, Needs, require
from live.api import schema
from relaybase.http.problems import Problem
from relaycore.rights import READ

WATCH: Final = Need(READ, "messages_app.view_message")

NOT_PLAIN: Final = (
    "This stream is for programs and pages. Send the key of a token (Authorization: Bearer KEY) or ?ticket=, "
    "or be logged in, and name this server as its address has it."
)


class LiveChannel(APIView):
    """Messages of a channel as they are stored, as server-sent events or by long poll.

    ?last_event_id=ID, or the header Last-Event-ID: what follows that. ?since=TIME or earliest;
    what comes from now on without either. ?filter=JSON as SNS filter policies are,
    ?filter_scope=body or attributes, ?limit=, ?format=json or raw. ?wait_seconds= with
    Accept: application/json: one answer of JSON.
    """

    name = "Live channel"
    needs: ClassVar[Needs] = {"GET": WATCH}

    @schema.live_channel
    def get(self, request: Request, name: str) -> Response:
        """Watch."""
        require(request, WATCH, name)
        raise Problem(400, "live-needs-token", NOT_PLAIN)


class Live(APIView):
    """Messages of several channels as they are stored; otherwise as of one (?channel=a&channel=b)."""

    name = "Live"
    needs: ClassVar[Needs] = {"GET": WATCH}

    @schema.live
    def get(self, request: Request) -> Response:
        """Watch."""
        raise Problem(400, "live-needs-token", NOT_PLAIN)
