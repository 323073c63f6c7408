"""Who may import whom (`tests.floors.table`), and the few places that may touch the outside.

Each rule has a control: a forged house in which it must turn red.
"""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

import relaybase
import relaycore
from tests.floors import rules
from tests.floors.__main__ import PAGE
from tests.floors.imports import ROOT, Graph, files, imports_of, read
from tests.floors.picture import necessary, page, rooms_of
from tests.floors.table import FLOORS, MOST_COLLABORATORS, MOST_LINES, MOST_MODULES, NEVER, is_in, room_of

MODULES = files()
GRAPH = read(MODULES)

OfGraph = Callable[[Graph], Iterator[str]]
OfModule = Callable[[str, str], Iterator[str]]


def forged(**imports: str) -> Graph:
    """The house, with some of its modules importing something more; `__` stands for a dot."""
    house = dict(GRAPH)
    for name, imported in imports.items():
        module = name.replace("__", ".")
        house[module] = house.get(module, frozenset()) | set(imported.split())
    return house


# --- who imports whom --------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule", [rules.without_a_room, rules.arrows_up, rules.meetings, rules.detours, rules.circles]
)
def test_the_imports_keep_the_order_of_the_floors(rule: OfGraph) -> None:
    assert list(rule(GRAPH)) == []


def test_a_package_that_the_table_does_not_know_is_noticed() -> None:
    assert list(rules.without_a_room(forged(dungeon__cell="relaycore"))) == ["dungeon.cell has no room"]


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("relaycore__policy", "relaybase.keys"),
        ("relaybase__rates", "leases_app.models"),
        ("relaybase__proposing", "relayproject.celery"),
        ("leases_app__leasing", "access_app.models"),
        ("access_app__tokens", "channels_app.models"),
        ("channels_app__report", "channels_app.listening.appender"),
        ("channels_app__models", "messages_app.models"),
        ("messages_app__beside", "messages_app.writing.stream"),
        ("channels_app__listening__loop", "channels_app.api.views"),
        ("channels_app__listening__loop", "messages_app.writing.stream"),
        ("messages_app__writing__store", "channels_app.listening.appender"),
        ("messages_app__searching__history", "messages_app.writing.stream"),
        ("messages_app__tasks", "relayproject.tasks"),
        ("channels_app__admin__channels", "messages_app.admin"),
        ("relaystack__stack", "channels_app.models"),
        ("relayproject__tasks", "relaystack.stack"),
        # Rooms that wait for their first module.
        ("messages_app__publishing__door", "messages_app.searching.history"),
        ("webhooks_app__attempting__sender", "alerts_app.models"),
        ("subscribers_app__pulling__page", "webhooks_app.models"),
        ("live__hub", "compat_app.sns.topics"),
    ],
)
def test_an_arrow_up_or_sideways_is_noticed(module: str, imported: str) -> None:
    house = {imported: frozenset(), **forged(**{module: imported})}
    assert [found for found in rules.arrows_up(house) if found.startswith(module.replace("__", "."))]


def test_what_the_next_apps_need_is_allowed() -> None:
    house = forged(
        messages_app__publishing__door="channels_app.models relaybase.redis.appending",
        subscribers_app__following__follower="messages_app.searching.history leases_app.leasing",
        webhooks_app__attempting__sender="subscribers_app.following.follower relaybase.keys",
        webhooks_app__tasks="webhooks_app.attempting.sender",
        live__hub="subscribers_app.following.follower",
        compat_app__sns__topics="webhooks_app.attempting.sender messages_app.publishing.door",
        relayproject__asgi="live.hub",
    )
    assert [*rules.without_a_room(house), *rules.arrows_up(house), *rules.meetings(house)] == []
    assert [*rules.detours(house), *rules.circles(house)] == []


@pytest.mark.parametrize(
    "between", ["relaybase.journal", "channels_app.report", "leases_app.layout", "relayproject.proposals"]
)
def test_listening_and_writing_do_not_meet_by_a_detour(between: str) -> None:
    """Whatever stands between them, and wherever."""
    middle = {between: GRAPH[between] | {"messages_app.writing.store"}}
    house = {**forged(channels_app__listening__tenure=between), **middle}
    met = [way for way in rules.meetings(house) if way.startswith("channels_app.listening.tenure →")]
    assert f"channels_app.listening.tenure → {between} → messages_app.writing.store" in met


@pytest.mark.parametrize(
    ("package", "end"), [pair for pair in NEVER if any(name.startswith(pair[0]) for name in GRAPH)]
)
def test_what_must_never_be_reached_is_noticed_behind_a_detour(package: str, end: str) -> None:
    start = next(name for name in GRAPH if name.startswith(package) and name.count(".") >= package.count("."))
    middle, last = "relaycore.detour", next((n for n in GRAPH if is_in(n, end)), end)
    house = {**GRAPH, start: GRAPH[start] | {middle}, middle: frozenset({last})}
    assert [way for way in rules.detours(house) if way.startswith(f"{start} → {middle} →")]


def test_whoever_hands_out_comes_to_no_listener_and_to_no_writer() -> None:
    for app in ("subscribers_app", "webhooks_app", "alerts_app", "live", "compat_app"):
        for end in ("channels_app.listening.loop", "messages_app.writing.writer"):
            assert list(rules.detours({**GRAPH, f"{app}.reading": frozenset({end})}))


def test_messages_doors_import_nothing_of_channels_themselves() -> None:
    assert list(rules.detours(forged(messages_app__tasks="channels_app.report")))


def test_a_circle_is_noticed() -> None:
    assert list(
        rules.circles(forged(relaycore__times="relaycore.layout", relaycore__layout="relaycore.times"))
    )


def test_an_import_counts_wherever_it_stands() -> None:
    source = (
        "import a.b\nfrom a import c, d\n"
        "def f():\n    from e.f import g\n"
        "if TYPE_CHECKING:\n    import h.i as j\n"
    )
    assert imports_of("x", source, ("a", "a.b", "a.c", "e.f.g")) == {"a.b", "a.c", "a", "e.f.g", "h"}
    with pytest.raises(ValueError, match="by dots"):
        imports_of("x", "from . import y", ())


def test_what_looks_is_what_stands_in_the_folder() -> None:
    """Else a folder that nobody reads would keep every rule."""
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert {name.partition(".")[0] for name in MODULES} == packages
    assert "messages_app.writing.writer" in GRAPH["messages_app.tasks"]


# --- how large anything is -----------------------------------------------------------------


@pytest.mark.parametrize("rule", [rules.by_name, rules.long, rules.entangled])
def test_modules_are_small_and_open(rule: OfModule) -> None:
    assert [said for name, path in MODULES.items() for said in rule(name, path.read_text())] == []


def test_no_folder_is_crowded() -> None:
    packages = {name for name, path in MODULES.items() if path.name == "__init__.py"}
    assert list(rules.crowded(MODULES, packages)) == []


def test_a_folder_with_one_module_too_many_is_noticed() -> None:
    full = [f"a.b.m{number}" for number in range(MOST_MODULES)]
    assert not list(rules.crowded([*full, "a.b", "a.c"], {"a.b"}))
    assert list(rules.crowded([*full, "a.b.more"], {"a.b"}))
    assert not list(rules.crowded([*full, "a.b.c.more", "a.b.c"], {"a.b", "a.b.c"}))


def test_a_line_too_many_is_noticed() -> None:
    assert not list(rules.long("x", "\n" * MOST_LINES))
    assert list(rules.long("x", "\n" * (MOST_LINES + 1)))


@pytest.mark.parametrize("call", ["importlib.import_module(name)", "import_string(name)", "__import__(name)"])
def test_an_import_by_name_is_noticed_below_the_roof(call: str) -> None:
    assert list(rules.by_name("relaybase.logs", call))
    assert not list(rules.by_name("relayproject.hot", call))


@pytest.mark.parametrize(
    "kind", ["Store", "'Store'", "stores.Store", "Callable[[], int]", "list[Store]", "Store | None"]
)
def test_a_collaborator_too_many_is_noticed(kind: str) -> None:
    def made(count: int) -> str:
        given = ", ".join(f"a{number}: {kind}" for number in range(count))
        return f"class Loop:\n    def __init__(self, {given}, *, n: int, texts: Sequence[str] = ()): ..."

    assert not list(rules.entangled("x", made(MOST_COLLABORATORS)))
    assert list(rules.entangled("x", made(MOST_COLLABORATORS + 1)))


@pytest.mark.parametrize("package", [relaycore, relaybase], ids=lambda package: package.__name__)
def test_a_package_says_what_each_of_its_modules_is_for(package: ModuleType) -> None:
    name, doc = package.__name__, package.__doc__ or ""
    inside = [module.removeprefix(f"{name}.") for module in MODULES if module.startswith(f"{name}.")]
    if package is relaybase:
        inside = [module for module in inside if "." not in module]
    else:
        inside = [module for module in inside if MODULES[f"{name}.{module}"].name != "__init__.py"]
    assert list(rules.unlisted(doc, inside)) == []


def test_a_module_that_nobody_describes_is_noticed() -> None:
    assert list(rules.unlisted("`a`  first\n`b/`  second\n", ["a", "b", "c"])) == ["c is not described"]
    assert list(rules.unlisted("`a`  first\n`b.c`  second\n", ["a"])) == ["b.c is described, and not there"]


# --- the page ------------------------------------------------------------------------------


def test_the_page_of_the_floors_is_what_the_imports_say() -> None:
    assert PAGE.read_text() == page(GRAPH), "make floors"


def test_another_import_makes_another_page() -> None:
    assert page(forged(leases_app__admin="relaycore.times")) != page(GRAPH)
    assert page(forged(webhooks_app__finding="channels_app.validators")) != page(GRAPH)


def test_the_picture_leaves_out_what_follows_and_nothing_else() -> None:
    rooms = rooms_of(GRAPH)
    shown = necessary(rooms)

    def below(room: str) -> set[str]:
        return shown[room].union(*(below(other) for other in shown[room]))

    for room, others in rooms.items():
        assert shown[room] <= others
        assert others <= below(room)


def test_every_room_is_on_one_floor() -> None:
    rooms = [room for floor in FLOORS for room in floor.rooms]
    assert len(rooms) == len(set(rooms))
    assert {room_of(module) for module in MODULES} <= {*rooms, "relaystack"}


# --- the few places that touch the outside -------------------------------------------------


@pytest.mark.parametrize(("name", "path"), MODULES.items(), ids=MODULES)
def test_only_one_module_makes_clients(name: str, path: Path) -> None:
    if name == "relaybase.connections" or name.startswith("relaystack"):
        return  # The stack asks servers whether they answer, before there are settings.
    clients = r"(?:Async)?MongoClient|ConnectionPool|redis(?:\.asyncio)?\.Redis(?:\.from_url)?|StrictRedis"
    assert not re.findall(rf"\b(?:{clients})\(", path.read_text())


@pytest.mark.parametrize(("name", "path"), MODULES.items(), ids=MODULES)
def test_only_one_module_spells_keys(name: str, path: Path) -> None:
    if name in {"relaybase.keys", "relaycore.channels"}:
        return
    strings = {
        node.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "\n" not in node.value
    }
    assert not {text for text in strings if re.match(r"orchestrator_channel:|__relay:", text)}
