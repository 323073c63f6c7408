"""What happens, in which order: by chance, and again alike from the same seed."""

import random
from collections.abc import Callable, Sequence
from typing import Final

from .world import World

DYING: Final = ["kill", "kill", "freeze", "freeze_both", "halt"]
HALTING: Final = ["halt"]
LEAVING: Final = ["leave"]
AWAY: Final = ["redis_away", "postgres_away", "postgres_flaps", "writer_away"]
FALLING: Final = ["lose", "lose"]
CLOCK: Final = ["set_clock"]
ALL: Final = [*DYING, *LEAVING, *AWAY, *FALLING]

_LENGTH: Final = 45

ARGUMENTS: Final[dict[str, Callable[[random.Random], tuple[int, ...]]]] = {
    "begin": lambda chance: (chance.randrange(4),),
    "run": lambda chance: (chance.randint(1, 30),),
    "kill": lambda chance: (chance.randrange(2),),
    "freeze": lambda chance: (chance.randrange(2), chance.choice([3, 12, 30, 90])),
    "halt": lambda chance: (chance.randrange(2), chance.randint(2, 6)),
    "freeze_both": lambda chance: (chance.choice([3, 12, 90, 150]),),
    "leave": lambda chance: (chance.randrange(20),),
    "lose": lambda chance: (chance.randint(1, 9),),
    "redis_away": lambda chance: (chance.randint(1, 60),),
    "postgres_away": lambda chance: (chance.choice([1, 2, 5, 20, 100]),),
    "postgres_flaps": lambda chance: (chance.randint(1, 10),),
    "writer_away": lambda chance: (chance.randint(1, 60),),
    "set_clock": lambda chance: (chance.choice([-300, -30, -5, 5, 30, 300]),),
}


def played(names: Sequence[str], seed: int) -> World:
    """A schedule of these operations, to its end."""
    world, chance = World(seed), random.Random(seed)
    for _ in range(_LENGTH):
        name = chance.choice(["begin", "run"] if chance.random() < 0.6 else [*names, "begin", "run"])
        getattr(world, name)(*ARGUMENTS[name](chance))
        world.run(world.random.randint(0, 3))
    world.settle()
    return world


def searched(promise: int, names: Sequence[str], most: int = 300) -> bool:
    """Whether one of many schedules of these operations breaks this promise."""
    return any(number == promise for seed in range(most) for number, _ in played(names, seed).broken)
