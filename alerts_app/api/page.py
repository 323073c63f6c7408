"""The page of open alerts, `/alerts/`, and what it reads: what is open, and what was told of one place."""

import json
from collections.abc import Callable
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from pymongo.errors import PyMongoError

from alerts_app import places
from alerts_app.places import Seen
from relaybase.http.details import problem_details
from relaybase.http.problems import as_response, of_server_behind


@never_cache
@require_safe
def page(request: HttpRequest) -> HttpResponseBase:
    """What is open; who may not see it is asked to log in."""
    if (seen := places.seen_by(request.user)) is None:
        return redirect_to_login(request.get_full_path(), reverse("admin:login"))
    try:
        state = places.state(seen)
    except PyMongoError:
        state = None  # The page says so, and asks again.
    shown = {
        "state": state,
        "is_public": seen.is_public,
        "token": get_token(request) if seen.may_handle else "",
    }
    return render(request, "relay/alerts.html", shown)


@never_cache
@require_safe
def state(request: HttpRequest) -> HttpResponse:
    """What is open, as JSON."""
    return _answered(request, places.state)


@never_cache
@require_safe
def place(request: HttpRequest) -> HttpResponse:
    """What was told of one place: ?rule=NAME&key=JSON, the key as `state` has it."""
    key = _key(request.GET.get("key", ""))
    name = request.GET.get("rule", "")

    def answer(seen: Seen) -> Any:
        rule = next((rule for rule in seen.rules if rule.name == name), None)
        return None if rule is None or key is None else places.told(rule, key)

    return _answered(request, answer)


def _answered(request: HttpRequest, answer: Callable[[Seen], Any]) -> HttpResponse:
    if (seen := places.seen_by(request.user)) is None:
        return as_response(problem_details(403, "Log in as somebody who may see rules and messages."))
    try:
        found = answer(seen)
    except PyMongoError as exc:
        problem = of_server_behind(exc)
        if problem is None:
            raise
        return as_response(problem_details(problem.status_code, str(problem.detail), problem.kind))
    if found is None:
        return as_response(problem_details(404, "There is no such rule, or the key is none of its places."))
    return HttpResponse(json.dumps(found, ensure_ascii=False), content_type="application/json")


def _key(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and found else None
