"""What could not be stored, at `/api/v1/quarantine`."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, ClassVar, Final

from bson import ObjectId
from django.db.models import Q
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access_app.permissions import Need, Needs, refusal, refusal_everywhere, require, require_everywhere
from messages_app import setting_aside
from messages_app.api import quarantine_schema as schema
from messages_app.models import Quarantined
from messages_app.searching.rows import as_text, timestamp, written
from messages_app.writing import retrying
from relaybase.http import cursors
from relaybase.http.parameters import Parameters
from relaycore.rights import MANAGE, READ

SEE: Final = Need(READ, "messages_app.view_quarantined")
ACKNOWLEDGE: Final = Need(MANAGE, "messages_app.change_quarantined")
RETRY: Final = ACKNOWLEDGE
DISCARD: Final = Need(MANAGE, "messages_app.delete_quarantined")

NOTHING: Final = "There is nothing with this id in quarantine. An id has 24 hexadecimal digits."


class QuarantineList(APIView):
    """What came over the stream and could not be stored, the last first.

    ?channel=NAME, ?acknowledged=true or false, ?limit= up to 1000.
    """

    name = "Quarantine"
    needs: ClassVar[Needs] = {"GET": SEE}

    @schema.quarantine
    def get(self, request: Request) -> Response:
        """A page."""
        parameters = Parameters(request, "channel", "acknowledged", "limit", cursors.PARAMETER)
        found = Quarantined.objects.defer("payload").order_by("-quarantined_at", "-pk")
        if (channel := parameters.text("channel")) is not None:
            require(request, SEE, channel)
            found = found.filter(channel=channel)
        else:
            require_everywhere(request, SEE)
        if (acknowledged := parameters.one_of("acknowledged", ["true", "false"])) is not None:
            found = found.filter(acknowledged_at__isnull=acknowledged == "false")
        if (cursor := parameters.text(cursors.PARAMETER)) is not None:
            at, key = _place(cursors.decode(cursor))
            found = found.filter(Q(quarantined_at__lt=at) | Q(quarantined_at=at, pk__lt=key))
        limit = parameters.limit()
        page = list(found[: limit + 1])
        last = page[limit - 1] if len(page) > limit else None
        following = f"{last.quarantined_at.isoformat()} {last.pk}" if last else None
        return Response({"next": cursors.link(request, following), "results": _rows(page[:limit])})


class QuarantineDetail(APIView):
    """One of them, with what is kept of its payload. DELETE discards it for ever."""

    name = "In quarantine"
    needs: ClassVar[Needs] = {"GET": SEE, "DELETE": DISCARD}

    @schema.one
    def get(self, request: Request, key: str) -> Response:
        """The entry."""
        Parameters(request)
        entry = _found(request, SEE, key)
        return Response(_rows([entry])[0] | written(as_text(bytes(entry.payload))))

    @schema.discard
    def delete(self, request: Request, key: str) -> Response:
        """Discard it."""
        Parameters(request)
        _found(request, DISCARD, key)
        if not setting_aside.discard(_one(key)):
            raise NotFound(NOTHING)
        return Response(status=status.HTTP_204_NO_CONTENT)


class QuarantineAcknowledge(APIView):
    """POST: somebody knows of it, and the home page does not warn of it any more."""

    name = "Acknowledge"
    needs: ClassVar[Needs] = {"POST": ACKNOWLEDGE}

    @schema.acknowledge
    def post(self, request: Request, key: str) -> Response:
        """Acknowledge it. Once more changes nothing."""
        Parameters(request)
        _found(request, ACKNOWLEDGE, key)
        setting_aside.acknowledge(_one(key))
        return Response(_rows([_found(request, ACKNOWLEDGE, key)])[0])


class QuarantineRetry(APIView):
    """POST: put it back on the stream, under the key it had. It leaves once it is stored."""

    name = "Retry"
    needs: ClassVar[Needs] = {"POST": RETRY}

    @schema.retry
    def post(self, request: Request, key: str) -> Response:
        """Send it again. While it is on its way, once more is refused."""
        Parameters(request)
        entry = _found(request, RETRY, key)
        retrying.retry(entry)
        entry.refresh_from_db(fields=["sent"])
        return Response(_rows([entry])[0], status.HTTP_202_ACCEPTED)


def _found(request: Request, need: Need, key: str) -> Quarantined:
    """The entry, for whoever may do this with its channel; what has none is of every channel."""
    entry: Quarantined | None = _one(key).first()
    if entry is None:
        raise NotFound(NOTHING)
    said = refusal(request, need, entry.channel) if entry.channel else refusal_everywhere(request, need)
    if said is not None:
        raise NotFound(NOTHING)
    return entry


def _one(key: str) -> Any:
    return Quarantined.objects.filter(pk=key) if ObjectId.is_valid(key) else Quarantined.objects.none()


def _place(key: str) -> tuple[datetime, str]:
    at, _, pk = key.partition(" ")
    try:
        time = datetime.fromisoformat(at)
    except ValueError as exc:
        raise cursors.bad_cursor() from exc
    if time.tzinfo is None or not ObjectId.is_valid(pk):
        raise cursors.bad_cursor()
    return time, pk


def _rows(entries: Collection[Quarantined]) -> list[dict[str, Any]]:
    sent_again = retrying.sent_again(entries)
    return [_row(entry) | {"sent_again": sent_again[entry.pk]} for entry in entries]


def _row(entry: Quarantined) -> dict[str, Any]:
    return {
        "id": str(entry.pk),
        "message_id": entry.message_id and str(entry.message_id),
        "channel": entry.channel,
        "reason": entry.reason,
        "size": entry.size,
        "position": entry.position,
        "received_at": entry.received_at and timestamp(entry.received_at),
        "attributes": entry.attributes,
        "content_type": entry.content_type,
        "produced_by": entry.produced_by,
        "quarantined_at": timestamp(entry.quarantined_at),
        "acknowledged_at": entry.acknowledged_at and timestamp(entry.acknowledged_at),
    }
