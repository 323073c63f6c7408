"""The pages on which somebody decides about one subscription (`decisions`).

A page is asked with what is to be decided, and says what that would mean, as often as somebody likes. What it
says then is sent as it was looked at, and is done.
"""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from pymongo.errors import PyMongoError

from relaycore.errors import RelayError
from subscribers_app.admin.decisions import DECISIONS, Decision, Look, Meaning
from subscribers_app.models import Subscription

ASKED = "look"
"""In the address of a page that is to say what it would mean."""

Said = Callable[[Exception], str]
"""How what failed is said."""


def decide(
    owner: "admin.ModelAdmin[Subscription]", request: HttpRequest, pk: int, verb: str, said: Said
) -> HttpResponse:
    """The page, or what becomes of it."""
    row = Subscription.objects.select_related("channel").filter(pk=pk).first()
    if not owner.has_change_permission(request, row):
        raise PermissionDenied
    if row is None:
        raise Http404("There is no such subscription.")
    decision, meaning = DECISIONS[verb], None
    if request.method == "POST":
        form = decision.form(request.POST, label_suffix="")
        if form.is_valid() and _is_done(owner, request, row, decision, form, said):
            return redirect("admin:subscribers_app_subscription_change", pk)
    else:
        form = decision.form(request.GET if ASKED in request.GET else None, label_suffix="")
        if decision.look is not None and form.is_valid():
            meaning = _meaning(row, decision.look, form, said)
    context = {
        **owner.admin_site.each_context(request),
        "title": decision.title,
        "opts": owner.opts,
        "row": row,
        "decision": decision,
        "form": form,
        "is_direct": decision.look is None,
        "has_choice": any(not field.is_hidden for field in form),
        "meaning": meaning,
        "then": [] if meaning is None else _pairs(meaning),
    }
    return TemplateResponse(request, "admin/subscribers_app/subscription/decide.html", context)


def _is_done(
    owner: "admin.ModelAdmin[Subscription]",
    request: HttpRequest,
    row: Subscription,
    decision: Decision,
    form: forms.Form,
    said: Said,
) -> bool:
    try:
        done = decision.do(row, form.cleaned_data)
    except (RelayError, PyMongoError) as exc:
        form.add_error(None, said(exc))
        return False
    owner.log_change(request, row, done)
    owner.message_user(request, done, messages.SUCCESS)
    return True


def _meaning(row: Subscription, look: Look, form: forms.Form, said: Said) -> Meaning | None:
    try:
        return look(row, form.cleaned_data)
    except (RelayError, PyMongoError) as exc:
        form.add_error(None, said(exc))
        return None


def _pairs(meaning: Meaning) -> list[tuple[str, Any]]:
    """As hidden fields."""
    return [
        (name, value)
        for name, given in meaning.then.items()
        for value in (given if isinstance(given, list) else [given])
    ]
