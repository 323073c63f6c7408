"""Back-tests of rules at `/api/v1/rules/NAME/back-test` and `/api/v1/rules/back-test`."""

from typing import ClassVar

from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from access_app.permissions import Needs, require
from alerts_app import registration, trying
from alerts_app.api import schema
from alerts_app.api.serializers import NewTrial, Trial
from alerts_app.rights import SEE, find
from alerts_app.trying import Asked, Tried
from relaybase.http.fields import decided
from relaybase.http.parameters import Parameters


class RuleBackTest(GenericAPIView):  # type: ignore[type-arg]
    """What the rule would tell of what is stored, with other `settings` if they are given, and what it told.

    `since` and `until`: of which messages; else of all that are stored by now. Nothing is sent. `found` of
    each event: "same", "changed", "added" (nothing was told), or "missing" (it was told, and would not have
    been). It begins with nothing: what was open before `since` it does not know.
    """

    name = "Back-test"
    needs: ClassVar[Needs] = {"POST": SEE}
    serializer_class = Trial

    @schema.back_test
    def post(self, request: Request, name: str) -> Response:
        """Try it."""
        row, wanted = decided(self, request, lambda: find(request, SEE, name))
        settings = wanted.get("settings", row.settings)
        between = wanted.get("since"), wanted.get("until"), wanted["limit"]
        return Response(_shown(trying.run(Asked(row.channel, row.kind, settings, row, *between))))


class NewBackTest(GenericAPIView):  # type: ignore[type-arg]
    """The same of a rule that there is not: what it would have told. Each event is "added"."""

    name = "Back-test"
    needs: ClassVar[Needs] = {"POST": SEE}
    serializer_class = NewTrial

    @schema.new_back_test
    def post(self, request: Request) -> Response:
        """Try it."""
        Parameters(request)
        asked = self.get_serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        require(request, SEE, wanted["channel"])
        channel = registration.read_channel(wanted["channel"])
        between = wanted.get("since"), wanted.get("until"), wanted["limit"]
        return Response(
            _shown(trying.run(Asked(channel, wanted["kind"], wanted["settings"], None, *between)))
        )


def _shown(tried: Tried) -> dict[str, object]:
    return {
        "upto": tried.upto,
        "is_all": tried.is_all,
        "messages": tried.messages,
        "unusable": tried.unusable,
        "last_unusable": tried.last_unusable or None,
        "counts": tried.counts,
        "events": tried.events,
        "open": tried.open,
    }
