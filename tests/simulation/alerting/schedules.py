"""What happens, in which order: by chance, and again alike from the same seed."""

import random
from collections.abc import Callable, Sequence
from typing import Final

from .world import KINDS, World

DYING: Final = ["kill", "kill", "freeze", "freeze"]
FALLING: Final = ["lose", "remember", "remember"]
CLOCK: Final = ["set_clock"]
EDITING: Final = ["edit", "edit"]
RETAINING: Final = ["retain"]
ALL: Final = [*DYING, *FALLING, *CLOCK, *EDITING, *RETAINING]

_LENGTH: Final = 40

Schedule = list[tuple[str, tuple[int, ...]]]

ARGUMENTS: Final[dict[str, Callable[[random.Random], tuple[int, ...]]]] = {
    "append": lambda chance: (chance.randint(1, 3),),
    "run": lambda chance: (chance.randint(1, 40),),
    "kill": lambda chance: (chance.randrange(2),),
    "freeze": lambda chance: (chance.randrange(2), chance.randint(5, 150)),
    "lose": lambda chance: (chance.randrange(100),),
    "remember": lambda chance: (),
    "set_clock": lambda chance: (chance.choice([-200, -30, -10, 50, 200]),),
    "edit": lambda chance: (),
    "retain": lambda chance: (),
}


def schedule(names: Sequence[str], chance: random.Random) -> Schedule:
    steady = ["append", "run"]
    found = [chance.choice(steady if chance.random() < 0.5 else [*names, *steady]) for _ in range(_LENGTH)]
    return [(name, ARGUMENTS[name](chance)) for name in found]


def played(names: Sequence[str], seed: int, kind: str = "") -> World:
    """A schedule of these operations, to its end."""
    world = World(seed, kind or sorted(KINDS)[seed % len(KINDS)])
    for name, arguments in schedule(names, random.Random(seed)):
        getattr(world, name)(*arguments)
        world.run(world.random.randint(0, 5))
    world.settle()
    return world


def told_out(steps: Sequence[tuple[str, *tuple[int, ...]]], seed: int, kind: str) -> World:
    """These operations, one after another, to the end."""
    world = World(seed, kind)
    for name, *arguments in steps:
        getattr(world, name)(*arguments)
    world.settle()
    return world


def searched(promise: int, names: Sequence[str] = (), kind: str = "", most: int = 300) -> bool:
    """Whether one of many schedules of these operations breaks this promise."""
    return any(number == promise for seed in range(most) for number, _ in played(names, seed, kind).broken)
