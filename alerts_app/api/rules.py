"""Rules at `/api/v1/rules`."""

from typing import ClassVar

from rest_framework import status
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from access_app.permissions import Needs, shown
from alerts_app import registration
from alerts_app.api import schema
from alerts_app.api.rows import address, rows
from alerts_app.api.serializers import Change, Disable, Enable, New
from alerts_app.models import Rule
from alerts_app.rights import CHANGE, DELETE, MAKE, SEE, find, require_on
from relaybase.http import cursors
from relaybase.http.conditions import etag, if_match
from relaybase.http.fields import decided
from relaybase.http.parameters import Parameters
from relaycore.rights import READ


class RuleList(GenericAPIView):  # type: ignore[type-arg]
    """What turns one channel into another one, by name.

    ?channel=NAME and ?to=NAME: only those that read or write this one. ?kind=, ?state= and ?search=TEXT (a
    part of the name); ?limit= up to 1000. POST makes one: all of it must be said. The channel that it writes
    is made if there is none; nobody may listen to it, and its policy has to be "every". `start` is where it
    begins to read: "earliest", "latest", {"time": T} or {"position": P}.
    """

    name = "Rules"
    needs: ClassVar[Needs] = {"GET": SEE, "POST": MAKE}
    serializer_class = New

    @schema.rules
    def get(self, request: Request) -> Response:
        """A page."""
        known = "channel", "to", "kind", "state", "search", "limit", cursors.PARAMETER
        parameters = Parameters(request, *known)
        found = Rule.objects.select_related("channel", "to").order_by("name")
        for column in ("channel", "to"):
            found = found.filter(shown(request, READ, f"{column}__channel"))
            if (wanted := parameters.text(column)) is not None:
                found = found.filter(**{f"{column}__channel": wanted})
        for column, values in (("kind", Rule.Kind.values), ("state", Rule.State.values)):
            if (wanted := parameters.one_of(column, values)) is not None:
                found = found.filter(**{column: wanted})
        if (search := parameters.text("search")) is not None:
            found = found.filter(name__icontains=search)
        return Response(cursors.page_of(request, parameters, found, "name", lambda page: rows(request, page)))

    @schema.new_rule
    def post(self, request: Request) -> Response:
        """Make one."""
        Parameters(request)
        asked = self.get_serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        require_on(request, MAKE, (wanted["channel"], wanted["to"]))
        made = registration.create(**wanted)
        (row,) = rows(request, [made])
        headers = {"Location": address(request, made), **etag(made.tag)}
        return Response(row, status.HTTP_201_CREATED, headers=headers)


class RuleDetail(GenericAPIView):  # type: ignore[type-arg]
    """A rule: how it is set, and how far it has come.

    PATCH replaces its settings, as a whole. They hold from where it stands when whoever runs it learns of
    them: what was told before stays as it was told. Name, kind and channels never change. DELETE removes it
    with what people have said of its alerts; what it has told stays on its channel.

    Each answer has an ETag of the settings and the state. PATCH and DELETE with If-Match change nothing, and
    answer 412, if somebody has changed them meanwhile.
    """

    name = "Rule"
    needs: ClassVar[Needs] = {"GET": SEE, "PATCH": CHANGE, "DELETE": DELETE}
    serializer_class = Change

    @schema.rule
    def get(self, request: Request, name: str) -> Response:
        """The rule."""
        Parameters(request)
        return _answer(request, find(request, SEE, name))

    @schema.change_rule
    def patch(self, request: Request, name: str) -> Response:
        """Replace its settings."""
        row, wanted = decided(self, request, lambda: find(request, CHANGE, name))
        return _answer(request, registration.change(row.name, wanted["settings"], tags=if_match(request)))

    @schema.delete_rule
    def delete(self, request: Request, name: str) -> Response:
        """Delete it."""
        Parameters(request)
        registration.delete(find(request, DELETE, name).name, tags=if_match(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class RuleEnable(GenericAPIView):  # type: ignore[type-arg]
    """Have it read on.

    `from` "here" (if it is not given): from where it stands, so what has ended meanwhile is told late. From
    "earliest", "latest", {"time": T} or {"position": P} it begins anew: what it has open is forgotten, and
    never told as closed. It tells again what it makes of what it has read before.
    """

    name = "Enable"
    needs: ClassVar[Needs] = {"POST": CHANGE}
    serializer_class = Enable

    @schema.enable
    def post(self, request: Request, name: str) -> Response:
        """Enable."""
        row, wanted = decided(self, request, lambda: find(request, CHANGE, name))
        return _answer(request, registration.enable(row.name, wanted["from"]))


class RuleDisable(GenericAPIView):  # type: ignore[type-arg]
    """Have it stand still: what it has open stays so, and nothing is told. `reason` is shown to others."""

    name = "Disable"
    needs: ClassVar[Needs] = {"POST": CHANGE}
    serializer_class = Disable

    @schema.disable
    def post(self, request: Request, name: str) -> Response:
        """Disable."""
        row, wanted = decided(self, request, lambda: find(request, CHANGE, name))
        return _answer(request, registration.disable(row.name, wanted["reason"]))


def _answer(request: Request, row: Rule) -> Response:
    """The rule, with its tag."""
    (found,) = rows(request, [row])
    return Response(found, headers=etag(row.tag))
