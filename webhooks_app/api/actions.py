"""What is done with an endpoint beside changing its settings."""

from typing import ClassVar

from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from access_app.permissions import Needs
from relaybase.http.conditions import NO_STORE
from relaybase.http.fields import decided
from webhooks_app import registration, testing
from webhooks_app.api import schema
from webhooks_app.api.found import find
from webhooks_app.api.serializers import Confirm, Disable, Enable, Nothing, Rotate
from webhooks_app.api.views import answer, of_all
from webhooks_app.confirming import answering
from webhooks_app.rights import CHANGE


class EndpointRotate(GenericAPIView):  # type: ignore[type-arg]
    """Other secrets: of one `kind`, which may be a new one, or of each that it has.

    Those of before sign for `overlap_seconds` more, a day if it is not given; 0 ends them at once. `secrets`
    of the answer are shown this once.
    """

    name = "Rotate"
    needs: ClassVar[Needs] = {"POST": CHANGE}
    serializer_class = Rotate

    @schema.rotate
    def post(self, request: Request, name: str) -> Response:
        """Rotate."""
        row, wanted = decided(self, request, lambda: find(request, CHANGE, name))
        secrets = registration.rotate(row, wanted.get("kind"), wanted["overlap_seconds"])
        return Response({"secrets": secrets}, headers=NO_STORE)


class EndpointConfirm(GenericAPIView):  # type: ignore[type-arg]
    """Confirm it by the `challenge` that was sent to it: for a receiver that only writes down what comes."""

    name = "Confirm"
    needs: ClassVar[Needs] = {"POST": CHANGE}
    serializer_class = Confirm

    @schema.confirm
    def post(self, request: Request, name: str) -> Response:
        """Confirm."""
        row, wanted = decided(self, request, lambda: find(request, CHANGE, name))
        return answer(request, answering.confirm(wanted["challenge"], only=row))


class EndpointChallenge(GenericAPIView):  # type: ignore[type-arg]
    """Have it asked for its confirmation once more. What came of it stands in its `challenge` soon."""

    name = "Challenge"
    needs: ClassVar[Needs] = {"POST": CHANGE}
    serializer_class = Nothing

    @schema.challenge
    def post(self, request: Request, name: str) -> Response:
        """Ask."""
        row, _ = decided(self, request, lambda: find(request, CHANGE, name))
        return answer(request, registration.ask_again(row))


class EndpointTest(GenericAPIView):  # type: ignore[type-arg]
    """Send one message to it now, signed and with its headers, and see what it answers.

    Its `type` is "relay.test". Only to one whose URL is confirmed; it may be disabled. The attempt counts for
    nothing, and takes 5 seconds at most. 503 while too many are tried out at once.
    """

    name = "Test"
    needs: ClassVar[Needs] = {"POST": CHANGE}
    serializer_class = Nothing

    @schema.test
    def post(self, request: Request, name: str) -> Response:
        """Send it."""
        row, _ = decided(self, request, lambda: find(request, CHANGE, name))
        return Response(testing.try_out(row), headers=NO_STORE)


class EndpointEnable(GenericAPIView):  # type: ignore[type-arg]
    """Send to it again: its breaker is closed, and what it has failed is forgotten.

    `from` "here" (if it is not given), "latest" or {"time": T}: that is a seek of each of its subscriptions.
    One that was never confirmed is asked for that, and is pending.
    """

    name = "Enable"
    needs: ClassVar[Needs] = {"POST": CHANGE}
    serializer_class = Enable

    @schema.enable
    def post(self, request: Request, name: str) -> Response:
        """Enable."""
        row, wanted = decided(self, request, lambda: find(request, CHANGE, name))
        return answer(request, registration.enable(row, wanted["from"], of_all(request, CHANGE)))


class EndpointDisable(GenericAPIView):  # type: ignore[type-arg]
    """Send nothing to it from now on: its subscriptions wait. `reason` is shown to others."""

    name = "Disable"
    needs: ClassVar[Needs] = {"POST": CHANGE}
    serializer_class = Disable

    @schema.disable
    def post(self, request: Request, name: str) -> Response:
        """Disable."""
        row, wanted = decided(self, request, lambda: find(request, CHANGE, name))
        return answer(request, registration.disable(row, wanted["reason"]))
