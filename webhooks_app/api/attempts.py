"""What became of attempts (`webhooks_app.attempts`), of an endpoint and of a subscription."""

import re
from typing import Any, ClassVar, Final

from rest_framework.exceptions import ParseError, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access_app.permissions import Needs, refusal, refusal_everywhere
from relaybase.http import cursors
from relaybase.http.parameters import Parameters
from relaycore.errors import SubscriptionUnknown
from subscribers_app import registration as subscriptions
from subscribers_app.models import Subscription
from webhooks_app import attempts, rights
from webhooks_app.api import schema
from webhooks_app.api.found import find
from webhooks_app.attempts import Attempted, Of
from webhooks_app.rights import SEE

_OF: Final = {"batch": Of.BATCH, "message": Of.MESSAGE}
"""By parameter. A message has fewer attempts than a batch: the last one that is given is looked up."""

_ID: Final = re.compile(r"[0-9a-fA-F]{24}")


class EndpointAttempts(APIView):
    """What became of the attempts to send something to it, the newest first; ?limit= up to 1000.

    A message that is sent again has one for each time; in a batch each message has one. ?message= shows those
    of one message, by its id, and ?batch= those of one batch, by its `webhook_id`. `status`: of the answer;
    null: there was none, and `failure` says why. `answer`: the first KiB of it, for who may see the endpoint;
    null for others. They are kept for `RELAY_ATTEMPTS_SECONDS`; attempts of the last second may still be
    missing.
    """

    name = "Attempts"
    needs: ClassVar[Needs] = {"GET": SEE}

    @schema.endpoint_attempts
    def get(self, request: Request, name: str) -> Response:
        """A page."""
        parameters = Parameters(request, "limit", cursors.PARAMETER, *_OF)
        return _page(request, parameters, Of.ENDPOINT, find(request, SEE, name).pk)


class SubscriptionAttempts(APIView):
    """The same of one subscription. One that is pulled has none."""

    name = "Attempts"
    needs: ClassVar[Needs] = {"GET": SEE}

    @schema.subscription_attempts
    def get(self, request: Request, name: str) -> Response:
        """A page."""
        parameters = Parameters(request, "limit", cursors.PARAMETER, *_OF)
        return _page(request, parameters, Of.SUBSCRIPTION, _subscription(request, name).pk)


def _subscription(request: Request, name: str) -> Subscription:
    """It, for whoever may see it; he who may not see all is not told which there are."""
    refused = PermissionDenied(
        f'This needs the scope "{SEE.right}" on the channel of the subscription "{name}", if there is one.'
    )
    try:
        row = subscriptions.find(name)
    except SubscriptionUnknown:
        if refusal_everywhere(request, SEE) is None:
            raise
        raise refused from None
    if refusal(request, SEE, row.channel.channel) is not None:
        raise refused
    return row


def _page(request: Request, parameters: Parameters, of: Of, number: int) -> Response:
    cursor, limit = parameters.text(cursors.PARAMETER), parameters.limit()
    after = None if cursor is None else cursors.decode(cursor)
    if after is not None and not attempts.is_cursor(after):
        raise cursors.bad_cursor()
    asked: dict[Of, int | bytes | str] = {of: number, **_asked(parameters)}
    narrowest = list(asked)[-1]
    found = attempts.read(narrowest, asked.pop(narrowest), after, limit, asked)
    seen = rights.seen(request, {one.endpoint for one in found.attempts})
    results = [_row(one, is_seen=one.endpoint in seen) for one in found.attempts]
    return Response({"next": cursors.link(request, found.next), "results": results})


def _asked(parameters: Parameters) -> dict[Of, bytes | str]:
    """Of which batch, and of which message."""
    found: dict[Of, bytes | str] = {}
    for name, of in _OF.items():
        if (id := parameters.text(name)) is not None:
            if _ID.fullmatch(id) is None:
                raise ParseError(f"{name} must be an id: 24 hexadecimal digits.")
            found[of] = bytes.fromhex(id) if of is Of.MESSAGE else id.lower()
    return found


def _row(one: Attempted, *, is_seen: bool) -> dict[str, Any]:
    """`is_seen`: he may see the endpoint. What it answers may be for its owner alone."""
    return {
        "at": one.at,
        "subscription": one.subscription_name,
        "endpoint": one.endpoint_name,
        "message_id": one.message.hex(),
        "position": one.position,
        "attempt": one.attempt,
        "webhook_id": one.webhook_id,
        "status": one.status,
        "failure": one.failure and one.failure.value,
        "seconds": round(one.seconds, 3),
        "answer": one.answer.decode("utf-8", "replace") if is_seen else None,
    }
