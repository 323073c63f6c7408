"""Silences at `/api/v1/silences`."""

from typing import Any, ClassVar

from rest_framework import serializers, status
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from access_app.permissions import Need, Needs
from alerts_app.api import silence_schema as schema
from alerts_app.receiving.channel import CHANNEL
from alerts_app.rights import require_on
from alerts_app.silencing import registration
from alerts_app.silencing.models import MOST_NOTE_CHARS, Silence
from relaybase.http import cursors
from relaybase.http.fields import Strict, Text
from relaybase.http.parameters import Parameters
from relaycore.alerting.labelled import matchers
from relaycore.alerting.labelled.silences import STATES
from relaycore.alerting.labelled.silences import Silence as Decided
from relaycore.rights import MANAGE, READ
from relaycore.times import to_milliseconds

SEE = Need(READ, "alerts_app.view_silence")
MAKE = Need(MANAGE, "alerts_app.add_silence")
END = Need(MANAGE, "alerts_app.change_silence")


class New(Strict):
    """The body of a POST."""

    matchers = serializers.JSONField(help_text='["alertname=Slow"], for instance.')
    starts_at = serializers.DateTimeField(required=False, allow_null=True, default=None)
    ends_at = serializers.DateTimeField()
    comment = Text(required=False, allow_blank=True, max_length=MOST_NOTE_CHARS, default="", initial="")


class SilenceList(GenericAPIView):  # type: ignore[type-arg]
    """Alerts that all matchers of one match are not told of, by any rule of the kind group.

    ?state=pending, active or expired: only these; ?limit= up to 1000. POST makes one: `matchers` as texts
    (name="value", !=, =~, !~) or objects of Alertmanager's, from `starts_at`, or now, until `ends_at`. It
    needs the right on the channel relay/alertmanager, as in Alertmanager's API, which has the same ones.
    """

    name = "Silences"
    needs: ClassVar[Needs] = {"GET": SEE, "POST": MAKE}
    serializer_class = New

    @schema.silences
    def get(self, request: Request) -> Response:
        """A page."""
        parameters = Parameters(request, "state", "limit", cursors.PARAMETER)
        require_on(request, SEE, [CHANNEL])
        state, limit = parameters.one_of("state", list(STATES)), parameters.limit()
        found = registration.in_state(state)
        if (cursor := parameters.text(cursors.PARAMETER)) is not None:
            found = found.filter(pk__gt=_id(cursors.decode(cursor)))
        page = list(found.order_by("pk")[: limit + 1])
        last = str(page[limit - 1].pk) if len(page) > limit else None
        at = registration.now()
        rows = [_row(row, at) for row in page[:limit]]
        return Response({"next": cursors.link(request, last), "results": rows})

    @schema.new_silence
    def post(self, request: Request) -> Response:
        """Make one."""
        Parameters(request)
        require_on(request, MAKE, [CHANNEL])
        asked = self.get_serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        starts = wanted["starts_at"]
        decided = Decided(
            "",
            matchers.several(wanted["matchers"]),
            0 if starts is None else max(1, to_milliseconds(starts)),
            to_milliseconds(wanted["ends_at"]),
        )
        made = registration.put(decided, request.user.get_username(), wanted["comment"])
        address = f"{reverse('silences', request=request)}/{made.pk}"
        row = _row(made, registration.now())
        return Response(row, status.HTTP_201_CREATED, headers={"Location": address})


class SilenceDetail(APIView):
    """A silence. DELETE ends it now; one that has ended stays as it is, and is shown for five days."""

    name = "Silence"
    needs: ClassVar[Needs] = {"GET": SEE, "DELETE": END}

    @schema.silence
    def get(self, request: Request, id: str) -> Response:
        """The silence."""
        Parameters(request)
        require_on(request, SEE, [CHANNEL])
        return Response(_row(registration.find(id), registration.now()))

    @schema.delete_silence
    def delete(self, request: Request, id: str) -> Response:
        """End it."""
        Parameters(request)
        require_on(request, END, [CHANNEL])
        registration.expire(id)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _id(cursor: str) -> str:
    if not registration.is_id(cursor):
        raise cursors.bad_cursor()
    return cursor


def _row(row: Silence, at: int) -> dict[str, Any]:
    decided = row.decided
    return {
        "id": str(row.pk),
        "state": decided.state(at),
        "matchers": [str(matcher) for matcher in decided.matchers],
        "starts_at": row.starts_at,
        "ends_at": row.ends_at,
        "created_by": row.created_by,
        "comment": row.comment,
        "updated_at": row.updated_at,
    }
