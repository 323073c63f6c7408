"""A kind of rule that is only played: whatever comes opens, and so much silence closes.

Other than a window's, its timer follows from its settings at each moment: an edit may move it to before now.
"""

import json
from typing import Any, Final, NamedTuple

from relaycore.alerting.causes import at_of
from relaycore.alerting.items import Input, Output, State, Step
from relaycore.errors import Unusable


class Came(NamedTuple):
    key: str


class Lull:
    is_by_key: Final = True

    def __init__(self, silence: int) -> None:
        self._silence = silence

    def read(self, input: Input) -> tuple[Came]:
        try:
            return (Came(json.dumps([json.loads(input.message)["location"]])),)
        except (ValueError, KeyError):
            raise Unusable("There is no location.") from None

    def take(self, state: State | None, event: Came, cause: str) -> Step:
        opened = cause if state is None else state["opened"]
        count = 1 if state is None else state["count"] + 1
        said = Output("open" if state is None else "more", f"{self._silence} {count}", opened)
        return Step({"opened": opened, "count": count, "last": at_of(cause)}, [said])

    def due(self, state: State) -> int | None:
        due: int = state["last"] + self._silence
        return due

    def fire(self, state: State, due: int) -> Step:
        return Step(None, [Output("close", f"{self._silence} {state['count']}", state["opened"])])

    def shown(self, state: State) -> list[dict[str, Any]]:
        return [{"opened": state["opened"]}]
