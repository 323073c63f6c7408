"""Errors as HTTP answers: the one place that maps the ones to the others.

Every answer that is an error is problem details (RFC 9457): `type`, `title`, `status`, and
`detail`, one or more sentences for a reader. Where fields of the body are to blame, `errors`
has the sentences by field as well, of `MOST_FIELDS` of them: a body may name a hundred thousand.
"""

import itertools
import logging
from collections.abc import Mapping
from typing import Any, Final

import redis
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.defaults import server_error
from pymongo.errors import ConnectionFailure, PyMongoError
from rest_framework.exceptions import APIException, UnsupportedMediaType
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import exception_handler

from relaybase.http.details import CONTENT_TYPE, problem_details
from relaybase.redis.primary import as_sent
from relaycore import errors
from relaycore.alerting import errors as alerting
from relaycore.alerting.labelled import refused
from relaycore.refusals import Refusal, classify, missing_right

log = logging.getLogger(__name__)

ANSWERS: Final[Mapping[type[errors.RelayError], tuple[int, str]]] = {
    errors.BadChannelName: (400, "bad-channel-name"),
    errors.BadPolicy: (400, "bad-policy"),
    errors.NoReplica: (400, "no-replica"),
    errors.BadBody: (400, "bad-body"),
    errors.BadMessage: (400, "bad-message"),
    errors.BadGrants: (400, "bad-grants"),
    errors.BadFilter: (400, "bad-filter"),
    errors.BadSecret: (400, "bad-secret"),
    errors.BadEntry: (400, "bad-entry"),
    errors.BadBroadcast: (400, "bad-broadcast"),
    errors.BadEventId: (400, "bad-event-id"),
    errors.BadUrl: (400, "bad-url"),
    errors.BadHeaders: (400, "bad-headers"),
    errors.BadSubscription: (400, "bad-subscription"),
    errors.ChannelUnknown: (404, "channel-unknown"),
    errors.SubscriptionUnknown: (404, "subscription-unknown"),
    errors.SubscriptionExists: (409, "subscription-exists"),
    errors.SubscriptionChanged: (412, "subscription-changed"),
    errors.WrongMode: (409, "wrong-mode"),
    errors.DeliveryUnknown: (404, "delivery-unknown"),
    errors.ChannelHasSubscriptions: (409, "channel-has-subscriptions"),
    errors.CursorMoved: (409, "cursor-moved"),
    errors.ChannelExists: (409, "channel-exists"),
    errors.ChannelChanged: (412, "channel-changed"),
    errors.NotRetried: (409, "not-retried"),
    errors.LeaseLost: (409, "lease-lost"),
    errors.LeaseWentBack: (409, "lease-went-back"),
    errors.BadEndpoint: (400, "bad-endpoint"),
    errors.EndpointUnknown: (404, "endpoint-unknown"),
    errors.ChallengeUnknown: (404, "challenge-unknown"),
    errors.EndpointExists: (409, "endpoint-exists"),
    errors.EndpointInUse: (409, "endpoint-in-use"),
    errors.NotConfirmed: (409, "not-confirmed"),
    errors.EndpointChanged: (412, "endpoint-changed"),
    errors.BadRule: (400, "bad-rule"),
    errors.Unusable: (400, "unusable"),
    alerting.RuleUnknown: (404, "rule-unknown"),
    alerting.RuleExists: (409, "rule-exists"),
    alerting.RuleChanged: (412, "rule-changed"),
    alerting.AlertUnknown: (404, "alert-unknown"),
    refused.LabelError: (400, "bad-label"),
    refused.BadMatcher: (400, "bad-matcher"),
    refused.BadAlert: (400, "bad-alert"),
    refused.BadSilence: (400, "bad-silence"),
    refused.SilenceUnknown: (404, "silence-unknown"),
    errors.Looped: (508, "loop"),
    errors.TooManyAsked: (429, "too-many-asked"),
    errors.MessageTooLarge: (413, "message-too-large"),
    errors.TooMuchAtOnce: (413, "too-much-at-once"),
    errors.SearchTooSlow: (422, "search-too-slow"),
    errors.TooManyGuesses: (429, "too-many-guesses"),
    errors.Disconnected: (503, "server-away"),
    errors.NotTaken: (503, "not-taken"),
    errors.NotGiven: (503, "not-given"),
    errors.NotTried: (503, "not-tried"),
    errors.NoEncryptionKey: (503, "no-encryption-key"),
    errors.CannotDecrypt: (503, "cannot-decrypt"),
    errors.TooManyWatch: (503, "too-many-watch"),
    errors.UnfitServer: (503, "unfit"),
}
"""The status, and what the `type` ends with."""

_READ_ONLY: Final = "25006"
"""PostgreSQL's SQLSTATE `read_only_sql_transaction`."""

RETRY_AFTER_SECONDS: Final = 2
"""What a 503 asks for: the servers' own restarts take about as long."""


class Problem(APIException):
    """An error of Relay, or of a server behind it, as DRF understands it. `more`: further members."""

    wait: float | None = None  # DRF makes it the header Retry-After.

    def __init__(self, status: int, kind: str, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status_code = status
        self.kind = kind
        self.more = more
        if status == 503:
            self.wait = RETRY_AFTER_SECONDS


MOST_FIELDS: Final = 10
"""That are said to be to blame. The first ones are enough to find the mistake."""

UNEXPECTED: Final = problem_details(
    500, "Something went wrong here, and not with the request. It is in the log."
)


def answer(exc: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's EXCEPTION_HANDLER. None for what nobody expected: Django then logs it and says 500."""
    if (of_server := of_server_behind(exc)) is not None:
        # Without the page around it: that would ask PostgreSQL again who is logged in.
        context["request"].accepted_renderer = JSONRenderer()
        context["request"].accepted_media_type = JSONRenderer.media_type
        exc = of_server
    elif isinstance(exc, errors.RelayError) and type(exc) in ANSWERS:
        index, seconds = getattr(exc, "index", None), getattr(exc, "seconds", None)
        exc = Problem(*ANSWERS[type(exc)], str(exc), **({} if index is None else {"index": index}))
        exc.wait = exc.wait if seconds is None else seconds
    elif type(exc) is UnsupportedMediaType:
        exc = Problem(exc.status_code, "", f"{exc.detail} Send JSON, with Content-Type: application/json.")
    response = exception_handler(exc, context)
    if response is not None:
        _describe(response, getattr(exc, "kind", ""), getattr(exc, "more", {}))
        if isinstance(getattr(context["request"], "accepted_renderer", JSONRenderer()), JSONRenderer):
            response.content_type = CONTENT_TYPE
    return response


def of_server_behind(exc: Exception) -> Problem | None:
    """What to answer if the error is that a server does not do its part now; else None.

    What a driver has said of it, which has its address, is for the log alone.
    """
    if isinstance(exc, errors.Disconnected) and isinstance(exc.__cause__, redis.RedisError):
        exc = exc.__cause__
    if (server := _server_away(exc)) is not None:
        log.warning("%s does not answer: %s", server, errors.one_line(exc.__cause__ or exc))
        return Problem(503, "server-away", f"{server} does not answer. Try again in a few seconds.")
    if _is_read_only(exc):
        log.warning("PostgreSQL is read-only: %s", errors.one_line(exc))
        return Problem(503, "read-only", "PostgreSQL takes no writes now. Try again in a few seconds.")
    if (right := _missing_right(exc)) is not None:
        log.error("Redis does not let this process do its work: its user lacks %s", right)
        return Problem(503, "right-missing", f"Relay's user in Redis lacks {right}: docs/operations.md.")
    return None


def unexpected(request: HttpRequest) -> HttpResponse:
    """Django's handler500: what is wrong stands in the log, and only there."""
    if not request.path.startswith("/api/"):
        return server_error(request)
    return as_response(UNEXPECTED)


def as_response(body: Mapping[str, Any]) -> JsonResponse:
    """Problem details where there is no view of Django REST framework, as compact as those that have one."""
    compact = {"separators": (",", ":")}
    return JsonResponse(body, status=body["status"], content_type=CONTENT_TYPE, json_dumps_params=compact)


def _describe(response: Response, kind: str, more: Mapping[str, Any]) -> None:
    data = response.data
    if isinstance(data, dict) and "detail" in data:
        response.data = problem_details(response.status_code, str(data["detail"]), kind, **more)
    else:
        few = _few(data)
        response.data = problem_details(response.status_code, _sentences(few), kind or "invalid", errors=few)


def _few(data: Any) -> Any:
    """The first `MOST_FIELDS` errors of a serializer, on each level, and how many more there are."""
    if isinstance(data, Mapping):
        few = {field: _few(found) for field, found in itertools.islice(data.items(), MOST_FIELDS)}
        more = len(data) - len(few)
        # As each field has them: a list of sentences.
        return few | ({"non_field_errors": [f"And {more} more."]} if more else {})
    if isinstance(data, list):
        more = len(data) - MOST_FIELDS
        return [_few(found) for found in data[:MOST_FIELDS]] + ([f"And {more} more."] if more > 0 else [])
    return data


def _server_away(exc: Exception) -> str | None:
    """The server whose absence is the error, if that is what it is."""
    if isinstance(exc, redis.ConnectionError | redis.TimeoutError):
        return "Redis"
    # Django's MongoDB backend wraps the driver's errors, but for those of a cursor's later batches.
    cause = exc.__cause__ if isinstance(exc, DatabaseError) else exc
    if isinstance(cause, PyMongoError):
        return "MongoDB" if isinstance(cause, ConnectionFailure) or cause.timeout else None
    if isinstance(exc, OperationalError | InterfaceError):
        return "PostgreSQL"
    return None


def _is_read_only(exc: Exception) -> bool:
    """Whether PostgreSQL takes no writes at the moment: a standby, or while somebody has it so."""
    return isinstance(exc, DatabaseError) and getattr(exc.__cause__, "pgcode", None) == _READ_ONLY


def _missing_right(exc: Exception) -> str | None:
    """What this process may not do in Redis, if that is the error."""
    if not isinstance(exc, redis.ResponseError) or classify(as_sent(exc)) is not Refusal.RIGHTS:
        return None
    return missing_right(as_sent(exc)) or "a right"


def _sentences(data: Any) -> str:
    """The errors of a serializer, one after another, each with its field in front."""
    if isinstance(data, Mapping):
        return " ".join(
            _sentences(found) if field == "non_field_errors" else f"{field}: {_sentences(found)}"
            for field, found in data.items()
        )
    return " ".join(map(_sentences, data)) if isinstance(data, list) else str(data)
