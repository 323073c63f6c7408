"""What may be decided about one endpoint: what is asked, what it would mean, and that it is done."""

from collections.abc import Mapping
from typing import Final

from relaybase.pages.deciding import Decision, Done, Given, Meaning
from relaybase.pages.filters import grouped, seconds
from relaybase.pages.places import HERE
from relaycore.delivering import beginning
from relaycore.delivering.beginning import Start
from relaycore.outbound import urls
from subscribers_app import lag, seeking
from subscribers_app.models import Subscription
from webhooks_app import registration, testing
from webhooks_app.admin.forms import DisableForm, EnableForm, NothingForm, RotateForm
from webhooks_app.models import Endpoint


def secrets_said(row: Endpoint, secrets: Mapping[str, str]) -> list[str]:
    """For whoever has made them, once."""
    return [
        f"{'The public key' if kind == 'v1a' else 'The secret'} ({kind}) of {row}, "
        f"which is not shown again: {value}"
        for kind, value in secrets.items()
    ]


def _origin(row: Endpoint) -> str:
    return urls.read(row.url).origin


def _look_at_testing(row: Endpoint, given: Given) -> Meaning:
    if row.confirmed_at is None:
        return Meaning(["Its URL is not confirmed, so nothing is sent there."], is_void=True)
    return Meaning(
        [
            f"One request goes to {_origin(row)} now, signed and with its headers, for "
            f"{testing.MOST_SECONDS} seconds at most. It says that it is a test, and counts for nothing.",
        ]
    )


def _test(row: Endpoint, given: Given) -> Done:
    answer = testing.try_out(row)
    came = f"it answered {answer['status']}" if answer["status"] else f"no answer came: {answer['failure']}"
    detail = [f"Why: {answer['detail']}"] if answer["detail"] else []
    body = [f"The answer began with: {answer['body'][:1024]}"] if answer["body"] else []
    return Done(f"A test message was sent, and {came}, after {answer['seconds']} s.", detail + body)


def _look_at_asking(row: Endpoint, given: Given) -> Meaning:
    if row.state != Endpoint.State.PENDING:
        return Meaning([f"It is {row.state}, so there is nothing to confirm."], is_void=True)
    return Meaning([f"One request goes to {_origin(row)}. What came of it stands on the page soon."])


def _ask(row: Endpoint, given: Given) -> str:
    registration.ask_again(row)
    return "It is asked for its confirmation."


def _look_at_enabling(row: Endpoint, given: Given) -> Meaning:
    hooked = list(Subscription.objects.filter(webhook__endpoint=row).order_by("name"))
    start: Start | None = given["to"]
    says = ["Its breaker is closed, and it is sent to again, slowly at first."]
    if row.confirmed_at is None:
        says = ["Its URL is not confirmed: it is asked for that first, and is sent to after it."]
    if not hooked:
        return Meaning([*says, "No subscription hangs on it."], {"to": HERE})
    if start is None:
        return Meaning([*says, *_waiting(hooked)], {"to": HERE})
    sought = [seeking.seek(one, start, dry_run=True) for one in hooked]
    for one, found in zip(hooked, sought, strict=True):
        count = f"{'' if found.is_exact else 'about '}{grouped(found.messages)} messages"
        is_back = found.to < found.origin
        says.append(f"{one}: {count} are {'sent once more' if is_back else 'left out, on record'}.")
    if len(sought) == 1:
        return Meaning(says, {"to": beginning.POSITION, "to_position": sought[0].to})
    if start.above is None:
        left_out = "What comes before you confirm that is left out as well."
        return Meaning([*says, left_out], {"to": beginning.LATEST})
    return Meaning(says, {"to": beginning.POSITION, "to_position": start.above})


def _waiting(hooked: list[Subscription]) -> list[str]:
    known = lag.of_all(hooked, lag.MOST)
    says = []
    for one in hooked:
        found = known[one.pk]
        if found is None:
            says.append(f"{one}: how many messages wait is not known: a server does not answer.")
            continue
        oldest = "" if found.age_seconds is None else f", the oldest {seconds(found.age_seconds)} old"
        is_one = found.is_exact and found.messages == 1
        says.append(
            f"{one}: {'' if found.is_exact else 'about '}{grouped(found.messages)} "
            f"message{'' if is_one else 's'} {'waits' if is_one else 'wait'}{oldest}, to be sent."
        )
    return says


def _enable(row: Endpoint, given: Given) -> str:
    enabled = registration.enable(row, given["to"])
    if enabled.state == Endpoint.State.PENDING:
        return "Enabled: it is asked for its confirmation."
    return "Enabled: it is sent to again."


def _disable(row: Endpoint, given: Given) -> str:
    registration.disable(row, given["reason"])
    return "Disabled: nothing is sent to it."


def _look_at_rotating(row: Endpoint, given: Given) -> Meaning:
    hours = given["overlap_hours"]
    then = {"kind": given["kind"], "overlap_hours": hours}
    after = (
        f"Those of before sign for {hours} hour{'' if hours == 1 else 's'} more: give the new ones to the "
        "receiver until then."
        if hours
        else "Those of before end at once: until the receiver has the new ones it takes nothing for ours."
    )
    return Meaning(["Another secret is made, and shown once, on the page after this one.", after], then)


def _rotate(row: Endpoint, given: Given) -> Done:
    secrets = registration.rotate(row, given["kind"] or None, given["overlap_seconds"])
    return Done("Rotated: it is signed with other secrets.", secrets_said(row, secrets))


DECISIONS: Final[Mapping[str, Decision]] = {
    "test": Decision(
        "Send a test message",
        "See what the receiver answers to a message that is none.",
        "Send it",
        NothingForm,
        _look_at_testing,
        _test,
    ),
    "ask": Decision(
        "Ask for the confirmation again",
        "Nothing is sent to an endpoint before it has said that it wants it. What it was asked before may "
        "have been lost, or has expired.",
        "Ask it",
        NothingForm,
        _look_at_asking,
        _ask,
    ),
    "enable": Decision(
        "Enable",
        "It is sent to again. From where do its subscriptions go on? What lies between may be left out.",
        "Enable it",
        EnableForm,
        _look_at_enabling,
        _enable,
    ),
    "disable": Decision(
        "Disable",
        "Nothing is sent to it until somebody enables it. What is under way comes to its end. What is owed "
        "to it waits, for as long as the channels keep messages.",
        "Disable it",
        DisableForm,
        None,
        _disable,
    ),
    "rotate": Decision(
        "Rotate the secrets",
        "Requests are signed with other secrets, and for a while with those of before as well: nobody "
        "has to change two programs in the same instant.",
        "Make other secrets",
        RotateForm,
        _look_at_rotating,
        _rotate,
    ),
}
"""By the last part of the address."""
