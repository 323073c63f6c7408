"""Pages on which somebody decides about one row: what is asked, what it would mean, and that it is done.

A page is asked with what is to be decided, and says what that would mean, as often as somebody likes. What it
says then is sent as it was looked at, and is done.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from pymongo.errors import PyMongoError

from relaycore.errors import RelayError

ASKED = "look"
"""In the address of a page that is to say what it would mean."""

Given = Mapping[str, Any]
"""What a form says, cleaned."""

Said = Callable[[Exception], str]
"""How what failed is said."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What it would mean, in sentences.

    then:    what is to be sent to have exactly that done, by the names of the form's fields
    is_void: it would do nothing
    """

    says: Sequence[str]
    then: Mapping[str, Any] = field(default_factory=dict)
    is_void: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """What was done, for the log of changes as well; `shown`: what is shown this once, and kept nowhere."""

    said: str
    shown: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """One of them. `look`: None where nothing is to be seen beforehand."""

    title: str
    explained: str
    button: str
    form: type[forms.Form]
    look: Callable[[Any, Given], Meaning] | None
    do: Callable[[Any, Given], str | Done]
    is_harmless: bool = True


def decide(
    owner: Any, request: HttpRequest, row: Any, decision: Decision, said: Said, about: str = ""
) -> HttpResponse:
    """The page, or what becomes of it. Whoever calls has seen to it that he may.

    owner: the rows' `ModelAdmin`
    about: what the page says of the row beside its name
    """
    change = reverse(f"admin:{owner.opts.app_label}_{owner.opts.model_name}_change", args=[row.pk])
    meaning = None
    if request.method == "POST":
        form = decision.form(request.POST, label_suffix="")
        if form.is_valid() and _is_done(owner, request, row, decision, form, said):
            return redirect(change)
    else:
        form = decision.form(request.GET if ASKED in request.GET else None, label_suffix="")
        if decision.look is not None and form.is_valid():
            meaning = _or_said(form, said, lambda: decision.look and decision.look(row, form.cleaned_data))
    context = {
        **owner.admin_site.each_context(request),
        "title": decision.title,
        "opts": owner.opts,
        "row": row,
        "about": about,
        "change": change,
        "decision": decision,
        "form": form,
        "is_direct": decision.look is None,
        "has_choice": any(not field.is_hidden for field in form),
        "meaning": meaning,
        "then": [] if meaning is None else _pairs(meaning),
    }
    return TemplateResponse(request, "relay/decide.html", context)


def _is_done(
    owner: Any, request: HttpRequest, row: Any, decision: Decision, form: forms.Form, said: Said
) -> bool:
    found = _or_said(form, said, lambda: decision.do(row, form.cleaned_data))
    if found is None:
        return False
    done = found if isinstance(found, Done) else Done(found)
    owner.log_change(request, row, done.said)
    owner.message_user(request, done.said, messages.SUCCESS)
    for text in done.shown:
        owner.message_user(request, text, messages.WARNING)
    return True


def _or_said(form: forms.Form, said: Said, do: Callable[[], Any]) -> Any:
    """What it comes to; None: it failed, and the form says why."""
    try:
        return do()
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
