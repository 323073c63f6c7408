"""`failing`: a receiver that is not reached, told on another channel. It reads `relay/events`.

There Relay tells when an endpoint does nothing but fail, when it takes something again, when it is given up,
and when a subscription begins to have dead letters. This opens with the first of these of one endpoint or one
subscription, and closes when the endpoint takes something again; or, as nothing ends dead letters, after so
long without another one. Other events do not matter, and what anybody but Relay has published cannot be used.

==================  ====================================================================================
`subjects`          of which only, as events name them: `endpoints/NAME`, `subscriptions/NAME`. Without
                    it: of all
`forget_seconds`    after so long without anything new it is closed. Three days, if it is not given: an
                    endpoint that goes on failing is told of again before that
==================  ====================================================================================

A message that is told is `{"subject", "about": the event that opened it, "eventType", "startTime",
"endTime"}`. `about` is left out if it is long.

The state is `{"key": {"subject"}, "about": JSON text, "since": ms, "last": ms, "opened": cause}`.
"""

from typing import Any, Final, NamedTuple

from relaycore.alerting.causes import at_of
from relaycore.alerting.items import Input, State, Step
from relaycore.alerting.kinds import coming, fields
from relaycore.alerting.kinds.settings import Reader
from relaycore.errors import Unusable
from relaycore.publishing import producers

FAILS: Final = frozenset({"endpoint.failing", "endpoint.disabled", "subscription.dead-letters"})
RECOVERS: Final = frozenset({"endpoint.recovered"})

MOST_SUBJECTS: Final = 50

_FORGETS_MS: Final = 3 * 86_400_000
_BEGINNINGS: Final = ("endpoints/", "subscriptions/")
_EXAMPLE: Final = '["endpoints/pager"]'


class Said(NamedTuple):
    """An event. `about`: all of it, as JSON text; empty: it does not matter."""

    key: str
    subject: str
    type: str
    about: str


class Failing:
    """The kind. `settings`: as above.

    Raises:
        BadRule: they cannot be meant.
    """

    is_by_key: Final = True

    def __init__(self, settings: object) -> None:
        read = Reader(settings, example=f'{{"subjects": {_EXAMPLE}}}')
        self._subjects = _subjects(read)
        forgets = read.seconds_if_given("forget_seconds")
        self._forgets = _FORGETS_MS if forgets is None else forgets
        read.end()

    def read(self, input: Input) -> tuple[Said]:
        """Of what it is, and what it says."""
        if input.produced_by != producers.RELAY:
            raise Unusable("Relay has not published it: nobody else says how its receivers fare.")
        members = fields.body(input)
        subject, type = (fields.value(members, name) for name in ("subject", "type"))
        if not isinstance(subject, str) or not isinstance(type, str):
            raise Unusable("It is no event of Relay's: subject and type are not texts.")
        return (Said(fields.key_of({"subject": subject}), subject, type, coming.about(input)),)

    def take(self, state: State | None, event: Said, cause: str) -> Step:
        """It fails, or does no longer."""
        if event.type in RECOVERS and state is not None:
            return Step(None, [coming.told_about("close", state, at_of(cause))])
        if event.type not in FAILS or (state is None and not self._is_ours(event.subject)):
            return Step(state)
        if state is not None:
            return Step({**state, "last": at_of(cause)})
        at = at_of(cause)
        key = {"subject": event.subject}
        opened = {"key": key, "about": event.about, "since": at, "last": at, "opened": cause}
        return Step(opened, [coming.told_about("open", opened, None)])

    def due(self, state: State) -> int | None:
        """When it is forgotten."""
        return int(state["last"]) + self._forgets

    def fire(self, state: State, due: int) -> Step:
        """Nothing more was said of it."""
        return Step(None, [coming.told_about("close", state, due)])

    def shown(self, state: State) -> list[dict[str, Any]]:
        """The one that is open."""
        return [coming.shown(state["key"], state["opened"], state["since"], 1)]

    def _is_ours(self, subject: str) -> bool:
        return self._subjects is None or subject in self._subjects


def _subjects(read: Reader) -> frozenset[str] | None:
    found = read.take("subjects", None)
    if found is None:
        return None
    if not isinstance(found, list | tuple) or not 1 <= len(found) <= MOST_SUBJECTS:
        raise read.bad("subjects", f"Not a list of 1 to {MOST_SUBJECTS}, such as {_EXAMPLE}.")
    for at, one in enumerate(found):
        if not isinstance(one, str) or not one.startswith(_BEGINNINGS) or one in _BEGINNINGS:
            raise read.bad(f"subjects[{at}]", f"Not as endpoints/NAME or subscriptions/NAME: {_EXAMPLE}.")
    return frozenset(found)
