"""The channels at `/api/v1/`."""

from typing import Any, ClassVar, Final

from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access_app.permissions import Need, Needs, allowed, refusal, require, shown
from channels_app import registration, starting
from channels_app.api import schema
from channels_app.api.serializers import Change, New, Rows, Start
from channels_app.api.waiting import MOST_SECONDS, wait_until_active
from channels_app.models import Channel
from channels_app.report import Report, reports
from relaybase.http import cursors
from relaybase.http.addresses import readings
from relaybase.http.conditions import etag, if_match
from relaybase.http.parameters import Parameters
from relaycore.policy import CONTENT, EVERY
from relaycore.rights import MANAGE, READ

SEE: Final = Need(READ, "channels_app.view_channel")
START: Final = Need(MANAGE, "channels_app.add_channel")
CHANGE: Final = Need(MANAGE, "channels_app.change_channel")
STOP: Final = Need(MANAGE, "channels_app.delete_channel")
UNSUBSCRIBE: Final = Need(MANAGE, "subscribers_app.delete_subscription")


class StartListening(GenericAPIView):  # type: ignore[type-arg]
    """Start to relay a channel, or several.

    `deduplicate` says which messages are the same and stored once: "content" (the same
    text, this is the default), {"field": "id"} (the same value of that JSON field) or
    "every" (none: each publish is stored). `retention_seconds`, 60 or more, has older messages
    deleted; they are kept for ever if it is not given. With ?wait=SECONDS, up to 30, the answer
    comes once the channel is heard, or after that time. With `channels`, a list of up to 1000 names, the
    answer is 200 and says which were started, which are listened to already, and which are refused, and why.
    """

    name = "Start listening"
    needs: ClassVar[Needs] = {"GET": None, "POST": START}
    serializer_class = Start

    @schema.start_listening_example
    def get(self, request: Request) -> Response:
        """What to send."""
        return Response({"detail": "POST a channel to start listening to it.", "example": Start().data})

    @schema.start_listening
    def post(self, request: Request) -> Response:
        """Start."""
        seconds = Parameters(request, "wait").seconds("wait", most=MOST_SECONDS)
        asked = self.get_serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        if (names := wanted.get("channels")) is not None:
            return _start_all(request, names, wanted, seconds)
        name: str = wanted["channel"]
        require(request, START, name)
        registration.start(name, wanted["deduplicate"], wanted["retention_seconds"])
        if seconds:
            wait_until_active(name, seconds)
        report = _report([name])
        rows = Rows(request)
        row = rows.row(report)
        if seconds and report.status != Channel.Status.ACTIVE:
            row["detail"] = f"Not heard yet. {row['why_not_heard']}"
        return Response(row, status.HTTP_201_CREATED, headers=_headers(report, rows))


class StopListening(APIView):
    """Stop relaying a channel. What is stored of it stays.

    GET shows the channel, DELETE stops it. While somebody has subscribed to it that is 409, unless
    ?cascade=true takes the subscriptions along.
    """

    name = "Stop listening"
    needs: ClassVar[Needs] = {"GET": SEE, "DELETE": STOP}

    @schema.channel("listening")
    def get(self, request: Request, name: str) -> Response:
        """The channel."""
        Parameters(request)
        return _shown(request, _report(allowed(request, SEE, readings(request, name))))

    @schema.stop("stop_listening")
    def delete(self, request: Request, name: str) -> Response:
        """Stop."""
        cascade = Parameters(request, "cascade").one_of("cascade", ["true", "false"]) == "true"
        names = allowed(request, STOP, readings(request, name))
        if cascade:
            names = allowed(request, UNSUBSCRIBE, names)
        registration.stop(_report(names).channel.channel, tags=if_match(request), cascade=cascade)
        return Response(status=status.HTTP_204_NO_CONTENT)


class ChannelDetail(StopListening, GenericAPIView):  # type: ignore[type-arg]
    """A channel: whether it is heard, by whom, and what is stored of it.

    PATCH changes `deduplicate` from the next message on, and `retention_seconds` for what is
    stored already as well: made shorter, it deletes nothing for a minute, and `shortened` says what it will.
    `listen`: whether what Redis publishes under this name is heard. `republish`: whether what is published by
    HTTP goes out to Redis' own subscribers too. DELETE removes the channel; what is stored stays. While
    somebody has subscribed to it that is 409, unless ?cascade=true takes the subscriptions along; PATCH of
    `listen` to false keeps them.

    Each answer has an ETag of the settings. PATCH and DELETE with If-Match change nothing, and answer 412, if
    somebody has changed them meanwhile.
    """

    name = "Channel"
    needs: ClassVar[Needs] = {"GET": SEE, "PATCH": CHANGE, "DELETE": STOP}
    serializer_class = Change

    @schema.channel("channel")
    def get(self, request: Request, name: str) -> Response:
        """The channel."""
        return super().get(request, name)

    @schema.stop("delete_channel")
    def delete(self, request: Request, name: str) -> Response:
        """Stop."""
        return super().delete(request, name)

    @schema.change_channel
    def patch(self, request: Request, name: str) -> Response:
        """Change settings."""
        Parameters(request)
        names = allowed(request, CHANGE, readings(request, name))
        asked = self.get_serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = dict(asked.validated_data)
        name = _report(names).channel.channel
        registration.change(name, wanted.pop("deduplicate", None), tags=if_match(request), **wanted)
        return _shown(request, _report([name]))


class ChannelList(GenericAPIView):  # type: ignore[type-arg]
    """The channels, by name.

    ?status=ACTIVE or INACTIVE (of those that are listened to), ?search=TEXT (a part of the name), ?limit= up
    to 1000. POST makes a channel that messages are published on by HTTP: nobody listens, unless `listen` is
    true, and each publish is stored (`deduplicate` "every").
    """

    name = "Channels"
    needs: ClassVar[Needs] = {"GET": SEE, "POST": START}
    serializer_class = New

    @schema.channels
    def get(self, request: Request) -> Response:
        """A page."""
        parameters = Parameters(request, "status", "search", "limit", cursors.PARAMETER)
        found = Channel.objects.with_status().filter(shown(request, READ)).order_by("channel")
        if (wanted := parameters.one_of("status", Channel.Status.values)) is not None:
            found = found.in_status(wanted)
        if (search := parameters.text("search")) is not None:
            found = found.filter(channel__icontains=search)

        def shown_as(page: list[Channel]) -> list[dict[str, Any]]:
            rows = Rows(request)
            return [rows.row(report) for report in reports(page)]

        return Response(cursors.page_of(request, parameters, found, "channel", shown_as))

    @schema.new_channel
    def post(self, request: Request) -> Response:
        """Make one."""
        Parameters(request)
        asked = self.get_serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = dict(asked.validated_data)
        name: str = wanted.pop("channel")
        require(request, START, name)
        policy = wanted.pop("deduplicate", CONTENT if wanted["listen"] else EVERY)
        registration.start(name, policy, **wanted)
        report, rows = _report([name]), Rows(request)
        return Response(rows.row(report), status.HTTP_201_CREATED, headers=_headers(report, rows))


def _start_all(request: Request, names: list[str], wanted: dict[str, Any], seconds: float) -> Response:
    if seconds:
        raise ValidationError({"wait": ["That is for a single channel."]})
    forbidden = {name: why for name in names if (why := refusal(request, START, name)) is not None}
    mine = [name for name in names if name not in forbidden]
    done = starting.start_all(mine, wanted["deduplicate"], wanted["retention_seconds"])
    refused = [{"channel": name, "detail": why} for name, why in [*done.refused, *forbidden.items()]]
    return Response({"started": done.started, "existing": done.existing, "refused": refused})


def _shown(request: Request, report: Report) -> Response:
    return Response(Rows(request).row(report), headers=etag(report.channel.tag))


def _headers(report: Report, rows: Rows) -> dict[str, str]:
    """Of a channel that was made."""
    return {"Location": rows.address(report.channel.channel), **etag(report.channel.tag)}


def _report(names: list[str]) -> Report:
    """The report on the first of `names` that is relayed.

    Raises:
        ChannelUnknown: none of them is.
    """
    # PostgreSQL has no text with NUL in it, so nothing can have such a name.
    askable = [name for name in names if "\0" not in name]
    rows = {row.channel: row for row in Channel.objects.with_status().filter(channel__in=askable)}
    for name in askable:
        if name in rows:
            return reports([rows[name]], count=True)[0]
    raise registration.unknown(names[0])
