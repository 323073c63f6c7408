"""What a rule says of a log: the function, cause by cause, with nothing in it but that."""

from collections.abc import Iterable, Sequence
from typing import Any

from relaycore.alerting.causes import LAST_MS, at_of, of_timer
from relaycore.alerting.items import Frontier, Input, KeptState, Kind, State
from relaycore.alerting.naming import output_id
from relaycore.errors import Unusable

RULE = "0123456789abcdef0123456789abcdef"


class Function:
    """kinds: by revision, from 0 on."""

    def __init__(self, kinds: Sequence[Kind[Any]]) -> None:
        self._kinds = kinds
        self._revision = 0
        self._floor = 0
        self._states: dict[str, KeptState] = {}
        self.said: dict[bytes, str] = {}
        self.unusable = 0

    @property
    def states(self) -> dict[str, State]:
        return {key: one.state for key, one in self._states.items() if one.state is not None}

    def run(self, log: Iterable[Input], adopted: Iterable[Frontier], upto: Frontier) -> "Function":
        waiting = sorted(log)
        for one in [*adopted, upto]:
            mine = [input for input in waiting if input.position <= one.position]
            waiting = waiting[len(mine) :]
            self._go(mine, one.time)
            self._revision, self._floor = one.revision, one.time
        return self

    def _go(self, inputs: list[Input], time: int) -> None:
        while True:
            due, key = min(((self._due(key), key) for key in self._states), default=(LAST_MS, ""))
            if inputs and of_timer(due) > inputs[0].position:
                self._take(inputs.pop(0))
            elif due <= time and key:
                self._step(key, of_timer(due), self._kind.fire(self._states[key].state or {}, due))
            elif inputs:
                self._take(inputs.pop(0))
            else:
                return

    @property
    def _kind(self) -> Kind[Any]:
        return self._kinds[self._revision]

    def _due(self, key: str) -> int:
        state = self._states[key].state
        due = None if state is None else self._kind.due(state)
        return LAST_MS if due is None else max(due, self._floor + 1, at_of(self._states[key].at) + 1)

    def _take(self, input: Input) -> None:
        try:
            events = self._kind.read(input)
        except Unusable:
            self.unusable += 1
            return
        for event in events:
            kept = self._states.get(event.key)
            step = self._kind.take(kept and kept.state, event, input.position)
            self._step(event.key, input.position, step)

    def _step(self, key: str, cause: str, step: Any) -> None:
        self._states[key] = KeptState(cause, step.state)
        for number, output in enumerate(step.outputs):
            place = [one.kind for one in step.outputs[:number]].count(output.kind)
            id = output_id(RULE, self._revision, key, cause, output.kind, place)
            self.said[id] = output.message
