"""MongoDB, played: what is stored, and what a processor keeps."""

from collections import Counter
from dataclasses import dataclass

from relaycore.alerting.items import Frontier, Input, KeptState, Made
from relaycore.position import NEVER, START

from .redis import Over


@dataclass
class Document:
    """The state of a key, and by whose term it was written last."""

    epoch: int
    kept: KeptState


class Archive:
    """inputs: what is stored of the channel, and not yet deleted; all of what ever was, in `log`.

    told:   how often each output was inserted: twice, if it was deleted between
    adopted: the frontiers at which other settings came into force
    """

    def __init__(self) -> None:
        self.mark = NEVER
        self.inputs: dict[str, Input] = {}
        self.log: dict[str, Input] = {}
        self.numbers: set[int] = set()
        self.outputs: dict[bytes, str] = {}
        self.told: Counter[bytes] = Counter()
        self.texts: dict[bytes, Made] = {}
        self.frontier = Frontier(START, 0, 0)
        self.epoch = self.states_epoch = 0
        self.states: dict[str, Document] = {}
        self.adopted: list[Frontier] = []

    # --- messages ------------------------------------------------------------------------------

    def store(self, number: int, input: Input) -> None:
        if number not in self.numbers:
            self.numbers.add(number)
            self.inputs[input.position] = self.log[input.position] = input

    def page(self, above: str, below: str, most: int) -> list[Input]:
        found = sorted(one for one in self.inputs if above < one < below)
        return [self.inputs[one] for one in found[:most]]

    def store_output(self, position: str, made: Made) -> None:
        if made.id not in self.outputs:
            self.outputs[made.id] = position
            self.told[made.id] += 1
            self.texts[made.id] = made

    def expire(self, upto: str) -> None:
        """Of both channels, what stands at or below this position."""
        self.inputs = {at: one for at, one in self.inputs.items() if at > upto}
        self.outputs = {id: at for id, at in self.outputs.items() if at > upto}

    # --- what processors keep ------------------------------------------------------------------

    def stamp(self, epoch: int) -> None:
        if self.epoch > epoch:
            raise Over
        self.epoch = epoch

    def claim_state(self, epoch: int, key: str) -> None:
        """One after another: none of an earlier term is written from then on."""
        document = self.states.get(key)
        if document is None:
            return
        if document.epoch < self.states_epoch:
            del self.states[key]
        elif document.epoch <= epoch:
            document.epoch = epoch

    def claimed(self, epoch: int) -> None:
        self._require(epoch)
        self.states_epoch = epoch

    def load(self, epoch: int) -> tuple[Frontier, dict[str, KeptState]]:
        self._require(epoch)
        return self.frontier, {key: one.kept for key, one in self.states.items() if one.epoch == epoch}

    def write_state(self, epoch: int, key: str, kept: KeptState) -> None:
        document = self.states.get(key)
        if document is None or document.epoch <= epoch:
            self.states[key] = Document(epoch, kept)

    def write_frontier(self, epoch: int, frontier: Frontier) -> None:
        self._require(epoch)
        if frontier.revision != self.frontier.revision:
            self.adopted.append(frontier)
        self.frontier = frontier

    def delete_state(self, epoch: int, key: str, at: str) -> None:
        document = self.states.get(key)
        if document is not None and document.epoch == epoch and document.kept.at == at:
            del self.states[key]

    def _require(self, epoch: int) -> None:
        if self.epoch != epoch:
            raise Over
