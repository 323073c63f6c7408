"""The order of the floors, from the roof down, and what it does not say by itself.

A room imports what is on floors below its own. It imports nothing above, and nothing of another room on its
own floor, by whatever detour. A new room is one more line here; some stand here before their first module.
"""

from dataclasses import dataclass
from typing import Final

DOORS: Final = ("api", "admin", "tasks", "management")
"""In each app: where people, clients and Celery come in."""

APPS: Final = (
    *("access_app", "leases_app", "channels_app", "messages_app"),
    *("events_app", "subscribers_app", "webhooks_app", "alerts_app", "compat_app"),
)


@dataclass(frozen=True, slots=True)
class Floor:
    """Its name, and its rooms: what begins with the name of one is in it, the longest name first."""

    name: str
    rooms: dict[str, str]


FLOORS: Final = (
    Floor("ROOF", {"relayproject": "settings, Celery, addresses, processes, what looks at everything"}),
    Floor("DOORS", {f"{app} doors": f"its {', '.join(DOORS)}" for app in APPS}),
    Floor("OTHER DOORS", {"compat_app": "what clients of other products speak"}),
    Floor(
        "HAND OUT",
        {
            "webhooks_app": "pushes",
            "alerts_app": "aggregates",
            "live": "shows what comes, as it comes",
        },
    ),
    Floor("READ", {"subscribers_app": "who reads, and how far"}),
    Floor("TELL", {"events_app": "what Relay tells of itself, on a channel"}),
    Floor(
        "HEAR, KEEP",
        {
            "channels_app.listening": "hears, and appends to the stream",
            "messages_app.publishing": "takes messages by HTTP",
            "messages_app.writing": "stores what is on the stream",
            "messages_app.searching": "reads what is stored",
        },
    ),
    Floor(
        "TABLES",
        {
            "channels_app": "the channel table, its registration, and what is on record of a channel",
            "messages_app": "the collections, and what stands beside the stream",
        },
    ),
    Floor("WHO", {"leases_app": "who leads", "access_app": "who may do what, and who did"}),
    Floor("BASEMENT", {"relaybase": "what every app stands on"}),
    Floor("CORE", {"relaycore": "what is decided, without clock, socket and Django"}),
)

ASIDE: Final = {
    "relaystack": ("relayproject", "relayproject.processes", "relaybase.env", "relaybase.whereabouts")
}
"""What stands beside the house, and all that it imports of it."""

NEVER: Final = (
    # Not only by floors: each app hands over what it has on the stream, and nothing else.
    ("channels_app", "messages_app"),
    ("messages_app", "channels_app.listening"),
    ("messages_app.searching", "channels_app"),
    # The writer puts on record what has vanished. Which channels there are is not its concern.
    ("messages_app.writing", "channels_app.registration"),
    # Whoever hands out reads what is stored; how it was heard and stored is not its concern.
    *(
        (app, room)
        for app in ("events_app", "subscribers_app", "webhooks_app", "alerts_app", "live", "compat_app")
        for room in ("channels_app.listening", "messages_app.writing")
    ),
    # The stack reads these before there is anything to configure Django and Celery with.
    *(
        (room, library)
        for room in (
            *("relaystack", "relayproject.processes", "relaybase.queues", "relaybase.stopping"),
            *("relaybase.keys", "relaybase.redis.wire"),
        )
        for library in ("django", "celery", "channels_app", "messages_app")
    ),
    ("relaycore", "django"),
    *((f"{app}.models", "celery") for app in APPS),
)
"""Package or module, and what it never comes to, by whatever detour: the same, or a library."""

NEVER_BY_ITSELF: Final = tuple(
    (f"messages_app.{door}", "channels_app") for door in DOORS if door not in {"api", "admin"}
)
"""The same of what it imports itself: through `writing` it may come there."""

MOST_MODULES: Final = 15
"""In one folder."""

MOST_LINES: Final = 300
"""Of one module."""

MOST_COLLABORATORS: Final = 5
"""That a constructor is given."""


def room_of(module: str) -> str | None:
    """The room of a module; None: it has none."""
    app, _, rest = module.partition(".")
    if app in APPS and rest.partition(".")[0] in DOORS:
        return f"{app} doors"
    rooms = [room for floor in FLOORS for room in floor.rooms if is_in(module, room)]
    return max([*rooms, *(name for name in ASIDE if is_in(module, name))], key=len, default=None)


def height_of(room: str) -> int:
    """The number of its floor, from 0 at the bottom."""
    return next(number for number, floor in enumerate(reversed(FLOORS)) if room in floor.rooms)


def is_in(module: str, place: str) -> bool:
    """Whether it is this module, or in this package."""
    return module == place or module.startswith(place + ".")
