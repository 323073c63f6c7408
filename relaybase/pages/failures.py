"""Pages that say what is wrong, where Django would only give the number of an error.

`relaybase.http.problems` does the same for the API, and knows which server an error is about.
"""

import logging
from collections.abc import Callable
from typing import Final

from django.core.exceptions import TooManyFieldsSent
from django.db import DatabaseError, DataError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.template.loader import render_to_string
from django.urls import Resolver404
from django.views.defaults import bad_request
from pymongo.errors import OperationFailure

from relaybase.http import problems
from relaybase.http.details import problem_details
from relaycore.errors import TooManyGuesses, one_line

log = logging.getLogger(__name__)

_PAGE: Final = "relay/plain.html"
_TOO_MANY: Final = "More was selected than one form can carry. Select fewer rows, and do the rest after them."
_MOST_SAID: Final = 200


class SayWhatIsWrong:
    """Middleware: a server is away, passwords are guessed, no list can have the filter in the address."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exc: Exception) -> HttpResponse | None:
        """The answer; None for what nobody expected, and for the API, which answers for itself."""
        if isinstance(exc, TooManyGuesses):  # Both login pages, that of the API as well.
            answer = _page(429, "Too Many Requests", str(exc))
            answer["Retry-After"] = str(exc.seconds)
            return answer
        if request.path.startswith("/api/"):
            return None
        if (found := problems.of_server_behind(exc)) is not None:
            answer = _page(found.status_code, "Not now", str(found.detail))
            answer["Retry-After"] = str(problems.RETRY_AFTER_SECONDS)
            return answer
        if _is_filter(request, exc):
            log.info("a list cannot be filtered as it was asked to: %s", type(exc).__name__)
            why = one_line(exc.__cause__ or exc, _MOST_SAID)
            return _page(400, "Bad Request", f"This list cannot be filtered as the address says: {why}")
        return None


def refused(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400."""
    if not isinstance(exception, TooManyFieldsSent):
        return bad_request(request, exception)
    if request.path.startswith("/api/"):
        return problems.as_response(problem_details(400, _TOO_MANY))
    return _page(400, "Bad Request", _TOO_MANY)


def missing(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404."""
    said = str(exception) if isinstance(exception, Http404) and not isinstance(exception, Resolver404) else ""
    detail = said or "Nothing is at this address."
    if request.path.startswith("/api/"):
        return problems.as_response(problem_details(404, detail))
    return _page(404, "Not Found", detail)


def _is_filter(request: HttpRequest, exc: Exception) -> bool:
    """Whether it is the address of a list that has led to it: what stands there goes to a server as it is."""
    match = request.resolver_match
    if match is None or not str(match.url_name).endswith("_changelist") or not request.GET:
        return False
    if isinstance(exc, DataError | ValueError | OverflowError):
        return True
    return isinstance(exc, DatabaseError) and isinstance(exc.__cause__, OperationFailure)


def _page(status: int, title: str, detail: str) -> HttpResponse:
    # Without the request: a page that says that PostgreSQL is away must not ask it who is logged in.
    return HttpResponse(render_to_string(_PAGE, {"title": title, "detail": detail}), status=status)
