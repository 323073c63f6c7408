"""The messages of a channel as a file."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, ClassVar

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse
from rest_framework.exceptions import ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from access_app.permissions import Needs, require
from channels_app import presence
from messages_app.api import asked, schema
from messages_app.searching import history
from messages_app.searching.files import FORMATS, FilePart, as_file
from relaybase.http.addresses import quoted
from relaybase.http.parameters import Parameters

CONTENT_TYPES = {"ndjson": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}


class _JSONForErrors(BaseContentNegotiation):
    """`?format=` is this view's own parameter."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """None is needed."""
        return None

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        """For what is not a file."""
        return JSONRenderer(), JSONRenderer.media_type


class MessageExport(APIView):
    """All messages of a channel as a file: ?format=ndjson (the default) or csv.

    In CSV cells are as they are; ?spreadsheet=true puts a ' before those that a spreadsheet would take
    for a formula. ?channel=, ?since=, ?until=, ?contains= and ?order= as in the list. An answer that breaks
    off is not complete: it has no end, and clients take it for an error.
    """

    name = "Export"
    needs: ClassVar[Needs] = {"GET": asked.SEE}
    content_negotiation_class = _JSONForErrors

    @schema.export
    def get(self, request: Request) -> StreamingHttpResponse:
        """The file."""
        parameters = Parameters(request, *asked.PARAMETERS, "format", "spreadsheet")
        format = parameters.one_of("format", list(FORMATS)) or "ndjson"
        spreadsheet = parameters.one_of("spreadsheet", ["true", "false"]) == "true"
        if spreadsheet and format != "csv":
            raise ParseError("spreadsheet=true is for format=csv.")
        search = asked.search(parameters)
        require(request, asked.SEE, search.channel)
        parts = as_file(search, format, spreadsheet=spreadsheet)
        # What can go wrong shows with the first page, while there still can be an answer that says so.
        begun = [next(parts), next(parts)]
        if not begun[1][0] and not history.has_any(search.channel):
            presence.require(search.channel)
        answer = StreamingHttpResponse(_stream(begun, parts), content_type=CONTENT_TYPES[format])
        name = f"{quoted(search.channel)}.{format}"
        answer["Content-Disposition"] = f"attachment; filename*=UTF-8''{name}"
        # A proxy that collects it first would need room for all of it.
        answer["X-Accel-Buffering"] = "no"
        return answer


async def _stream(begun: list[FilePart], parts: Iterator[FilePart]) -> AsyncIterator[bytes]:
    while begun:
        yield begun.pop(0)[1]
    while part := await sync_to_async(lambda: next(parts, None), thread_sensitive=False)():
        yield part[1]
