"""The home page, and what it refreshes from."""

from typing import Any, Final

from django.http import HttpRequest, JsonResponse
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache

from relayproject.dashboard import facts

_PARTS: Final = {
    "banner": "",
    "tiles": "",
    "silent": "channels_app.view_channel",
    "readers": "subscribers_app.view_subscription",
    "loops": "leases_app.view_lease",
    "gaps": "channels_app.view_gap",
    "quarantine": "messages_app.view_quarantined",
    "published": "messages_app.view_message",
    "errors": "leases_app.view_lease",
}
"""Each part, and the permission without which it stays empty; the first two only count."""

_RANGE: Final = "minutes"


def first(request: HttpRequest) -> dict[str, Any]:
    """What the template of the home page needs."""
    found = facts.read()
    parts = _parts(request, found)
    return {
        "parts": parts,
        "is_empty": found.is_empty,
        "chart": facts.chart(_RANGE),
        "origin": f"{request.scheme}://{request.get_host()}",
    }


@never_cache
def state(request: HttpRequest) -> JsonResponse:
    """The parts as HTML, and the chart; `?range=` is one of `facts.RANGES`."""
    chosen = request.GET.get("range", _RANGE)
    if chosen not in facts.RANGES:
        return JsonResponse({"detail": f"range must be one of {', '.join(facts.RANGES)}."}, status=400)
    found = facts.read()
    return JsonResponse(
        {
            "parts": _parts(request, found),
            "is_empty": found.is_empty,
            "chart": facts.chart(chosen),
        }
    )


def _parts(request: HttpRequest, found: facts.Facts) -> dict[str, SafeString]:
    return {
        name: render_to_string(f"relay/{name}.html", {"facts": found}, request)
        if not permission or request.user.has_perm(permission)
        else SafeString()
        for name, permission in _PARTS.items()
    }
