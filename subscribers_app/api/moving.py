"""Moving a subscription's cursor, and stopping it for a while."""

from typing import ClassVar

from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access_app.permissions import Needs
from relaybase.http.fields import decided
from relaybase.http.parameters import Parameters
from subscribers_app import lag, registration, seeking
from subscribers_app.api import schema
from subscribers_app.api.found import CHANGE, SEE, find
from subscribers_app.api.rows import size
from subscribers_app.api.serializers import Pause, Resume, Seek
from subscribers_app.api.views import answer


class SubscriptionSeek(GenericAPIView):  # type: ignore[type-arg]
    """Go on from another place: `to` is "earliest", "latest", {"time": T} or {"position": P}.

    `from`, `to`: where the cursor stood, and where it goes. `messages`: so many lie between, and are handed
    out again, or never; if not `exact`, there may be more, or fewer. What was on its way is let go, and what
    was leased cannot be confirmed any more. What is passed over goes on record as undelivered. Dead letters
    stay. With `dry_run` nothing is changed.
    """

    name = "Seek"
    needs: ClassVar[Needs] = {"POST": CHANGE}
    serializer_class = Seek

    @schema.seek
    def post(self, request: Request, name: str) -> Response:
        """Seek."""
        row, wanted = decided(self, request, lambda: find(request, CHANGE, name))
        sought = seeking.seek(row, wanted["to"], dry_run=wanted["dry_run"])
        said = {"from": sought.origin, "to": sought.to}
        return Response({**said, "messages": sought.messages, "exact": sought.is_exact})


class SubscriptionSize(APIView):
    """How far a subscription is behind: messages above its cursor, and those on their way.

    More than 10,000 are not counted, and with a filter it is not known which of them are wanted: then `exact`
    is false. `age_seconds`: since the oldest of them was put on the stream; null: there is none.
    """

    name = "Size"
    needs: ClassVar[Needs] = {"GET": SEE}

    @schema.size
    def get(self, request: Request, name: str) -> Response:
        """The size."""
        Parameters(request)
        return Response(size(lag.of(find(request, SEE, name))))


class SubscriptionPause(GenericAPIView):  # type: ignore[type-arg]
    """Hand out nothing from now on. What is leased may be confirmed still. `reason` is shown to others."""

    name = "Pause"
    needs: ClassVar[Needs] = {"POST": CHANGE}
    serializer_class = Pause

    @schema.pause
    def post(self, request: Request, name: str) -> Response:
        """Pause."""
        row, wanted = decided(self, request, lambda: find(request, CHANGE, name))
        return answer(request, registration.pause(row, wanted["reason"]))


class SubscriptionResume(GenericAPIView):  # type: ignore[type-arg]
    """Hand out again, `from` "here" (if it is not given), "latest" or {"time": T}: that is a seek as well."""

    name = "Resume"
    needs: ClassVar[Needs] = {"POST": CHANGE}
    serializer_class = Resume

    @schema.resume
    def post(self, request: Request, name: str) -> Response:
        """Resume."""
        row, wanted = decided(self, request, lambda: find(request, CHANGE, name))
        return answer(request, registration.resume(row, wanted["from"]))
