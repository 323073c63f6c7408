"""What happens, in which order: by chance, and again alike from the same seed."""

import random
from collections.abc import Callable, Sequence
from typing import Final

from tests.simulation.seeds import seeds

from .endpoint import MODES
from .world import World

Schedule = list[tuple]  # type: ignore[type-arg]

DYING: Final = ["kill", "kill", "freeze", "leave"]
ANSWERING: Final = ["answer", "answer", "jump"]
RETAINING: Final = ["retain", "retain", "forget_watermark"]
SEEKING: Final = ["seek", "choose_anew", "make_anew", "pause", "resume"]
LOOKING_AFTER: Final = ["redrive", "redrive", "skip", "skip", "drop"]
ALL: Final = [*DYING, *ANSWERING, *RETAINING, *SEEKING, *LOOKING_AFTER]

_LENGTH: Final = 40
_BACK_MS: Final = 20 * 3_600_000


def _any(*most: int) -> Callable[[random.Random], tuple[int, ...]]:
    return lambda chance: tuple(chance.randrange(one) for one in most)


ARGUMENTS: Final[dict[str, Callable[[random.Random], tuple[int, ...]]]] = {
    "append": lambda chance: (chance.randint(1, 4),),
    "run": lambda chance: (chance.randint(1, 40),),
    "kill": _any(2),
    "freeze": lambda chance: (chance.randrange(2), chance.randint(5, 120)),
    "leave": _any(2),
    "answer": _any(2, len(MODES)),
    "retain": lambda chance: (chance.randint(1, 5),),
    "forget_watermark": _any(),
    "jump": lambda chance: (chance.choice([-_BACK_MS, _BACK_MS, -3000, 5000]),),
    "seek": _any(2, 1000),
    "choose_anew": _any(2, 10),
    "make_anew": _any(2, 10),
    "redrive": _any(2),
    "drop": _any(2, 10),
    "skip": _any(2, 10),
    "pause": _any(2),
    "resume": _any(2),
}


def schedule(names: Sequence[str], chance: random.Random) -> Schedule:
    steady = ["append", "run"]
    found = [chance.choice(steady if chance.random() < 0.5 else [*names, *steady]) for _ in range(_LENGTH)]
    return [(name, *ARGUMENTS[name](chance)) for name in found]


def played(names: Sequence[str], seed: int, *readers: str, has_faults: bool = True) -> World:
    """A schedule of these operations, to its end. `has_faults`: of PostgreSQL."""
    world = World(seed, *readers)
    world.ledger.has_faults = has_faults
    for name, *arguments in schedule(names, random.Random(seed)):
        getattr(world, name)(*arguments)
        world.run(world.random.randint(0, 3))
    world.settle()
    return world


def searched(promise: int, reader: str, names: Sequence[str] = (), most: int = 300, first: int = 0) -> bool:
    """Whether one of many schedules of these operations breaks this promise. `first`: see `seeds`."""
    worlds = (played(names, seed, reader) for seed in seeds(most, first))
    return any(number == promise for world in worlds for number, _ in world.broken)
