"""Subscriptions at `/api/v1/subscriptions`."""

from functools import reduce
from operator import or_
from typing import Any, ClassVar

from rest_framework import status
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from access_app.permissions import Needs, require, shown
from channels_app import presence
from relaybase.http import cursors
from relaybase.http.conditions import NO_STORE, etag, if_match
from relaybase.http.fields import decided
from relaybase.http.parameters import Parameters
from relaycore.errors import BadSubscription
from relaycore.rights import READ
from subscribers_app import activity, lag, registration
from subscribers_app.api import schema
from subscribers_app.api.found import CHANGE, DELETE, MAKE, SEE, find
from subscribers_app.api.row_schema import STATES
from subscribers_app.api.rows import Rows
from subscribers_app.api.serializers import Change, New
from subscribers_app.kinds import kind as kinds
from subscribers_app.models import Subscription


class SubscriptionList(GenericAPIView):  # type: ignore[type-arg]
    """The subscriptions, by name.

    ?channel=NAME, ?kind=, ?mode= and ?state=: only these; ?search=TEXT (a part of the name), ?limit= up to
    1000. `lag`: what is not done yet; more than 1000 messages are not counted here. `rates`: messages a
    second, over the minute that goes on and the one before. POST makes one: a `mode` and where to `start`
    must be said. With `channels`, a list of up to 100, it becomes one for each, `NAME.1`, `NAME.2`, and so
    on: all of them, or none.
    """

    name = "Subscriptions"
    needs: ClassVar[Needs] = {"GET": SEE, "POST": MAKE}
    serializer_class = New

    @schema.subscriptions
    def get(self, request: Request) -> Response:
        """A page."""
        choices = {"kind": Subscription.Kind.values, "mode": Subscription.Mode.values}
        known = "channel", *choices, "state", "search", "limit", cursors.PARAMETER
        parameters = Parameters(request, *known)
        found = Subscription.objects.select_related("channel").order_by("name")
        found = found.filter(shown(request, READ, "channel__channel"))
        if (channel := parameters.text("channel")) is not None:
            require(request, SEE, channel)
            presence.require(channel)
            found = found.filter(channel__channel=channel)
        for column, values in choices.items():
            if (wanted := parameters.one_of(column, values)) is not None:
                found = found.filter(**{column: wanted})
        if (state := parameters.one_of("state", STATES)) is not None:
            found = found.filter(reduce(or_, (kind.in_state(state) for kind in kinds.every())))
        if (search := parameters.text("search")) is not None:
            found = found.filter(name__icontains=search)
        return Response(
            cursors.page_of(request, parameters, found, "name", lambda page: _rows(Rows(request), page))
        )

    @schema.new_subscription
    def post(self, request: Request) -> Response:
        """Make one, or one for each channel."""
        Parameters(request)
        asked = self.get_serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = dict(asked.validated_data)
        kind = kinds.of(wanted.pop("kind"))
        more = {field: wanted.pop(field) for field in kind.fields(is_new=True) if field in wanted}
        name, mode, start = wanted.pop("name"), wanted.pop("mode"), wanted.pop("start")
        channels: list[str] | None = wanted.pop("channels", None)
        named = _numbered(name, channels) if channels else [(name, wanted.pop("channel"))]
        for _, channel in named:
            require(request, MAKE, channel)
        making, rows = kind.begin(request, name, more), Rows(request)
        made = registration.create_all(named, mode, start, kind.name, making, **wanted)
        results, told = _rows(rows, made), making.told()
        unkept = NO_STORE if told else {}  # It may be secrets.
        if channels:
            return Response({"results": results, **told}, status.HTTP_201_CREATED, headers=unkept)
        headers = {"Location": rows.address(made[0]), **etag(made[0].tag), **unkept}
        return Response({**results[0], **told}, status.HTTP_201_CREATED, headers=headers)


class SubscriptionDetail(GenericAPIView):  # type: ignore[type-arg]
    """A subscription: how it is set, where its cursor stands, and how far it is behind.

    PATCH changes settings, from its answer on, also for who waits in a fetch. Another filter holds for what
    is above the cursor; in mode "cursor" it raises the generation, and what was fetched before is fetched
    anew. Mode, channel and name stay as they are. DELETE removes it with all that is on its way, dead, or on
    record of it.

    Each answer has an ETag of the settings. PATCH and DELETE with If-Match change nothing, and answer 412, if
    somebody has changed them meanwhile.
    """

    name = "Subscription"
    needs: ClassVar[Needs] = {"GET": SEE, "PATCH": CHANGE, "DELETE": DELETE}
    serializer_class = Change

    @schema.subscription
    def get(self, request: Request, name: str) -> Response:
        """The subscription."""
        Parameters(request)
        return answer(request, find(request, SEE, name))

    @schema.change_subscription
    def patch(self, request: Request, name: str) -> Response:
        """Change settings, from the answer on, also for who waits in a fetch.

        Another filter holds for what is above the cursor. In mode "cursor" it raises the `generation`: what
        was fetched before is committed no more, and fetched anew. What is leased keeps its deadline.
        """
        row, wanted = decided(self, request, lambda: find(request, CHANGE, name))
        own = kinds.of(row.kind).fields(is_new=False)
        more = {field: wanted.pop(field) for field in own if field in wanted}
        changed = registration.change(row, tags=if_match(request), more=more, **wanted)
        return answer(request, changed)

    @schema.delete_subscription
    def delete(self, request: Request, name: str) -> Response:
        """Delete it."""
        Parameters(request)
        registration.delete(find(request, DELETE, name), tags=if_match(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


def answer(request: Request, row: Subscription) -> Response:
    """The subscription, with its tag."""
    (shown,) = _rows(Rows(request), [row], lag.MOST)
    return Response(shown, headers=etag(row.tag))


def _rows(rows: Rows, found: list[Subscription], most: int = lag.MOST_IN_A_LIST) -> list[dict[str, Any]]:
    """As they are shown, with what is known of them."""
    behind, active, of_kind = lag.of_all(found, most), activity.of_all(found), kinds.shown(found)
    return [rows.row(row, behind[row.pk], active.get(row.pk), of_kind[row.pk]) for row in found]


def _numbered(name: str, channels: list[str]) -> list[tuple[str, str]]:
    if len(set(channels)) < len(channels):
        raise BadSubscription("channels: Each of them once.")
    return [(f"{name}.{number}", channel) for number, channel in enumerate(channels, 1)]
