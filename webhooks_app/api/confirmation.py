"""The page that a confirmation's link opens: without logging in, since who has the link has the right.

Opening it, or looking whether it is there, confirms nothing: mail scanners and previews do that. The button
does, and so does a POST of a program, as CloudEvents' webhooks have it. There is no token against forged
requests: whoever could forge one would need the link.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from access_app.actor import Actor, acting
from relaycore.errors import ChallengeUnknown
from webhooks_app.confirming import answering


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """Ask, or confirm: ?challenge=CHALLENGE."""
    challenge = request.GET.get("challenge", "")
    try:
        if request.method == "POST":
            with acting(Actor("nobody", "confirmation link", request.META.get("REMOTE_ADDR") or "")):
                endpoint = answering.confirm(challenge)
        else:
            endpoint = answering.of(challenge)
    except ChallengeUnknown as exc:
        return _page(request, 404, said=str(exc))
    return _page(request, 200, endpoint=endpoint)


def _page(request: HttpRequest, status: int, **shown: Any) -> HttpResponse:
    answer = render(request, "relay/confirm.html", shown, status=status)
    answer["Referrer-Policy"] = "no-referrer"
    answer["X-Robots-Tag"] = "noindex"
    return answer
