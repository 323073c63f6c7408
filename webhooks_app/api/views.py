"""Endpoints at `/api/v1/endpoints`."""

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

from django.db.models import Q
from rest_framework import status
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from access_app.permissions import Need, Needs, require, require_everywhere
from relaybase.http import cursors
from relaybase.http.conditions import NO_STORE, etag, if_match
from relaybase.http.fields import decided
from relaybase.http.parameters import Parameters
from webhooks_app import registration
from webhooks_app.api import schema
from webhooks_app.api.found import find
from webhooks_app.api.rows import address, rows
from webhooks_app.api.serializers import Change, New
from webhooks_app.models import Endpoint
from webhooks_app.registration import Allowing
from webhooks_app.rights import CHANGE, DELETE, MAKE, SEE, VOUCH, may


class EndpointList(GenericAPIView):  # type: ignore[type-arg]
    """Where webhooks go, by name: one's own, and others' for whoever may see them.

    ?state= and ?search=TEXT (a part of the name); ?limit= up to 1000. POST makes one: a `name` and a `url`
    must be said. It is `pending` until it is confirmed, and nothing is sent to it before. `secrets` of the
    answer, by kind, are shown this once: `v1` is what the receiver checks with, `v1a` the public key to it.
    """

    name = "Endpoints"
    needs: ClassVar[Needs] = {"GET": SEE, "POST": MAKE}
    serializer_class = New

    @schema.endpoints
    def get(self, request: Request) -> Response:
        """A page."""
        parameters = Parameters(request, "state", "search", "limit", cursors.PARAMETER)
        shown = Q() if may(request, SEE, None) else Q(owner=request.user.pk)
        found = Endpoint.objects.select_related("owner").filter(shown).order_by("name")
        if (state := parameters.one_of("state", Endpoint.State.values)) is not None:
            found = found.filter(state=state)
        if (search := parameters.text("search")) is not None:
            found = found.filter(name__icontains=search)
        return Response(cursors.page_of(request, parameters, found, "name", lambda page: rows(request, page)))

    @schema.new_endpoint
    def post(self, request: Request) -> Response:
        """Make one. It is asked for its confirmation at once."""
        Parameters(request)
        asked = self.get_serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = dict(asked.validated_data)
        if wanted.get("confirmation") == Endpoint.Confirmation.VOUCHED:
            require_everywhere(request, VOUCH)
        made, secrets = registration.create(wanted.pop("name"), request.user, **wanted)
        (shown,) = rows(request, [made])
        headers = {"Location": address(request, made), **etag(made.tag), **NO_STORE}
        return Response({**shown, "secrets": secrets}, status.HTTP_201_CREATED, headers=headers)


class EndpointDetail(GenericAPIView):  # type: ignore[type-arg]
    """An endpoint: how it is set, whether it is confirmed, and how it fares.

    PATCH changes settings; `headers` are replaced as a whole. With another `url` it is pending again. DELETE
    removes it; with ?cascade=true its subscriptions as well, and without it is 409 while there are any.

    Each answer has an ETag of the settings and the state. PATCH and DELETE with If-Match change nothing, and
    answer 412, if somebody has changed them meanwhile.
    """

    name = "Endpoint"
    needs: ClassVar[Needs] = {"GET": SEE, "PATCH": CHANGE, "DELETE": DELETE}
    serializer_class = Change

    @schema.endpoint
    def get(self, request: Request, name: str) -> Response:
        """The endpoint."""
        Parameters(request)
        return answer(request, find(request, SEE, name))

    @schema.change_endpoint
    def patch(self, request: Request, name: str) -> Response:
        """Change settings. Senders go by them within a second."""
        row, wanted = decided(self, request, lambda: find(request, CHANGE, name))
        may_vouch = partial(require_everywhere, request, VOUCH)
        tags = if_match(request)
        return answer(request, registration.change(row, tags=tags, may_vouch=may_vouch, **wanted))

    @schema.delete_endpoint
    def delete(self, request: Request, name: str) -> Response:
        """Delete it."""
        parameters = Parameters(request, "cascade")
        cascade = parameters.one_of("cascade", ["true", "false"]) == "true"
        row = find(request, DELETE, name)
        may = of_all(request, DELETE)
        registration.delete(row, tags=if_match(request), cascade=cascade, may_delete=may)
        return Response(status=status.HTTP_204_NO_CONTENT)


def answer(request: Request, row: Endpoint, **more: Any) -> Response:
    """The endpoint, with its tag."""
    (shown,) = rows(request, [row])
    return Response({**shown, **more}, headers={**etag(row.tag), **(NO_STORE if more else {})})


def of_all(request: Request, need: Need) -> Allowing:
    """What raises PermissionDenied if he may not do this with each of the channels that it is given."""

    def require_all(channels: Sequence[str]) -> None:
        for channel in channels:
            require(request, need, channel)

    return require_all
