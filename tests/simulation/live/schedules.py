"""What happens, in which order: by chance, and again alike from the same seed."""

import random
from collections.abc import Callable, Sequence
from typing import Final

from .world import World

Schedule = list[tuple]  # type: ignore[type-arg]

ALWAYS: Final = (
    "append",
    "append",
    "store",
    "store",
    "pump",
    "pump",
    "watch",
    "watch",
    "watch",
    "cut",
    "kill",
)
ALL: Final = ["retain", "delete", "pass_time", "fall_back", "gap", "divide", "remake"]

ARGUMENTS: Final[dict[str, Callable[[random.Random], tuple[int, ...]]]] = {
    "append": lambda chance: (chance.randrange(4), chance.randint(1, 4)),
    "store": lambda chance: (chance.randrange(3),),
    "watch": lambda chance: (chance.randrange(20), chance.randint(1, 6)),
    "cut": lambda chance: (chance.randrange(20),),
    "retain": lambda chance: (chance.randrange(4), chance.randint(1, 5)),
    "pass_time": lambda chance: (chance.randint(1, 50),),
    "divide": lambda chance: (chance.randint(1, 3),),
}

_LENGTH: Final = 80
_SELDOM: Final = frozenset({"divide", "remake"})


def schedule(names: Sequence[str], chance: random.Random) -> Schedule:
    found: Schedule = []
    for _ in range(_LENGTH):
        name = chance.choice([*ALWAYS, *names])
        if name in _SELDOM and chance.random() < 0.8:
            continue
        found.append((name, *ARGUMENTS.get(name, lambda chance: ())(chance)))
    return found


def played(names: Sequence[str], seed: int) -> tuple[set[str], World]:
    """What a schedule of these operations has broken."""
    world = World(seed)
    for name, *arguments in schedule(names, random.Random(seed)):
        getattr(world, name)(*arguments)
    return world.broken(), world


def searched(broken: str, names: Sequence[str] = (), most: int = 600) -> bool:
    """Whether one of many schedules of these operations breaks this promise."""
    return any(broken in played(names, seed)[0] for seed in range(most))
