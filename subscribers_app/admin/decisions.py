"""What may be decided about one subscription: what is asked, what it would mean, and that it is done.

What was shown is what is done: a place is resolved when it is looked at, and of dead letters none is taken
that has died since.
"""

from collections.abc import Mapping
from typing import Any, Final

from channels_app.models import Channel
from relaybase.pages.deciding import Decision, Given, Meaning
from relaybase.pages.filters import grouped
from relaybase.pages.places import HERE
from relaycore.delivering import beginning
from relaycore.delivering.leasing import State
from subscribers_app import dead, registration, seeking
from subscribers_app.admin import page
from subscribers_app.admin.forms import PauseForm, ResumeForm, SeekForm, SkipForm, WhichForm
from subscribers_app.dead import Done, Which
from subscribers_app.models import Subscription
from subscribers_app.seeking import Sought

_ON_RECORD: Final = "That goes on record as undelivered."


def said(sought: Sought) -> list[str]:
    """What a seek means, for a person."""
    way = [f"The cursor {_way(sought)}."]
    count = f"{'' if sought.is_exact else 'About '}{_messages(sought.messages)}"
    if sought.is_exact and not sought.messages:
        way.append("No message lies between.")
    elif sought.to < sought.origin:
        way.append(f"{count} between the two {_are(sought.messages)} handed out again, done or not.")
    else:
        way.append(f"{count} {_are(sought.messages)} not handed out any more. {_ON_RECORD}")
    if sought.let_go:
        way.append(
            f"{_messages(sought.let_go)} on their way before that place {_are(sought.let_go)} let go. "
            f"{_ON_RECORD}"
        )
    return way


def _way(sought: Sought) -> str:
    origin, to = page.place(sought.origin), page.place(sought.to)
    if sought.to == sought.origin:
        return f"stays where it is, at {to}"
    if origin == to:  # The same millisecond.
        origin, to = f"{origin} ({sought.origin})", f"{to} ({sought.to})"
    return f"goes from {origin} {'back' if sought.to < sought.origin else 'forward'} to {to}"


def _pause(row: Subscription, given: Given) -> str:
    registration.pause(row, given["reason"])
    return "Paused: nothing is handed out."


def _look_at_resuming(row: Subscription, given: Given) -> Meaning:
    if given["to"] is None:
        return Meaning(["Messages are handed out again, from where the cursor stands."], {"to": HERE})
    sought = seeking.seek(row, given["to"], dry_run=True)
    return Meaning([*said(sought), "Then messages are handed out again."], _pinned(sought))


def _resume(row: Subscription, given: Given) -> str:
    registration.resume(row, given["to"])
    return "Resumed: messages are handed out again."


def _look_at_seeking(row: Subscription, given: Given) -> Meaning:
    sought = seeking.seek(row, given["to"], dry_run=True)
    return Meaning(said(sought), _pinned(sought))


def _seek(row: Subscription, given: Given) -> str:
    return " ".join(said(seeking.seek(row, given["to"])))


def _pinned(sought: Sought) -> Mapping[str, Any]:
    return {"to": beginning.POSITION, "to_position": sought.to}


def _which(given: Given) -> Which:
    return Which(given["id"] or None, given["since"], given["until"])


def _which_now(given: Given) -> tuple[Which, Mapping[str, Any]]:
    """Those that are dead by now, and how they are named later."""
    until = Channel.objects.now()
    then = {"id": [id.hex() for id in given["id"]], "until": until.isoformat()}
    if given["since"]:
        then["since"] = given["since"].isoformat()
    return Which(given["id"] or None, given["since"], until), then


def _look_at_redriving(row: Subscription, given: Given) -> Meaning:
    which, then = _which_now(given)
    done = dead.redrive(row, which, dry_run=True)
    return Meaning(_redriven(done), then, is_void=not done.messages)


def _redrive(row: Subscription, given: Given) -> str:
    return " ".join(_redriven(dead.redrive(row, _which(given))))


def _redriven(done: Done) -> list[str]:
    way = [f"{_messages(done.messages)} {_are(done.messages)} handed out again, as if for the first time."]
    if done.expired:
        way.append(
            f"{_messages(done.expired)} cannot be, and {_are(done.expired, 'stays', 'stay')} here: the "
            "channel keeps messages no longer, and has deleted what is meant. That can only be dropped."
        )
    if done.above_cursor:
        way.append(
            f"{_messages(done.above_cursor)} {_are(done.above_cursor, 'stays', 'stay')} here: the cursor was "
            "moved back, and comes by them anyway."
        )
    return way


def _look_at_dropping(row: Subscription, given: Given) -> Meaning:
    which, then = _which_now(given)
    done = dead.drop(row, which, dry_run=True)
    return Meaning(_dropped(done), then, is_void=not done.messages)


def _drop(row: Subscription, given: Given) -> str:
    return " ".join(_dropped(dead.drop(row, _which(given))))


def _dropped(done: Done) -> list[str]:
    return [
        f"{_messages(done.messages)} {_are(done.messages)} let go: nobody is given them again for this "
        'subscription. That is on record under "Ended undelivered". In the channel they stay stored.'
    ]


def _look_at_skipping(row: Subscription, given: Given) -> Meaning:
    (id,) = given["id"]
    found = dead.find(row, id)
    says = [f"The message {id.hex()} is let go. Nobody is given it again for this subscription."]
    if found.state is not State.DEAD:
        says.append("A worker that has it may not confirm it any more. What it holds back goes on.")
    return Meaning([*says, 'That is on record under "Ended undelivered".'], {"id": [id.hex()]})


def _skip(row: Subscription, given: Given) -> str:
    (id,) = given["id"]
    dead.skip(row, id)
    return f"The message {id.hex()} is skipped."


def _messages(count: int) -> str:
    return f"{grouped(count)} message{'' if count == 1 else 's'}"


def _are(count: int, one: str = "is", more: str = "are") -> str:
    return one if count == 1 else more


DECISIONS: Final[Mapping[str, Decision]] = {
    "pause": Decision(
        "Pause",
        "Nothing is handed out until somebody resumes it. Whoever waits for messages is told so at once. "
        "What workers have by now may still be confirmed. What comes meanwhile waits, for as long as the "
        "channel keeps messages.",
        "Pause it",
        PauseForm,
        None,
        _pause,
    ),
    "resume": Decision(
        "Resume",
        "It hands out messages again. From where? What lies between may be left out.",
        "Resume it",
        ResumeForm,
        _look_at_resuming,
        _resume,
    ),
    "seek": Decision(
        "Seek: go on from another place",
        "The cursor is the place in the channel up to which messages were handed out. Move it back, and they "
        "are handed out once more; forward, and those between are left out. Messages that workers have by "
        "now are not theirs any more. Dead letters stay.",
        "Move the cursor",
        SeekForm,
        _look_at_seeking,
        _seek,
    ),
    "redrive": Decision(
        "Hand dead letters out again",
        "A dead letter is a message that was handed out as often as this subscription allows, and never "
        "confirmed. Mend what was the matter with the workers first.",
        "Hand them out again",
        WhichForm,
        _look_at_redriving,
        _redrive,
    ),
    "drop": Decision(
        "Drop dead letters",
        "A dead letter is a message that was handed out as often as this subscription allows, and never "
        "confirmed. Drop those that nobody needs any more. This cannot be undone.",
        "Drop them",
        WhichForm,
        _look_at_dropping,
        _drop,
        is_harmless=False,
    ),
    "skip": Decision(
        "Skip a message",
        "For a message that no worker can deal with. This cannot be undone.",
        "Skip it",
        SkipForm,
        _look_at_skipping,
        _skip,
        is_harmless=False,
    ),
}
"""By the last part of the address."""
