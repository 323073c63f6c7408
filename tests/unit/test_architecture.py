"""The direction of imports, and the few places that may touch the outside."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "relaycore",
    "relaybase",
    "relayproject",
    "relaystack",
    "leases_app",
    "access_app",
    "channels_app",
    "messages_app",
)
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def starting(names: set[str], *prefixes: str) -> set[str]:
    return {n for n in names if any(n == p or n.startswith(p + ".") for p in prefixes)}


ROOMS = ("api", "admin", "gaps_admin", "listening", "management", "registration", "tasks")
"""Of `channels_app`, beside the table and what is on record."""

NEVER = [
    (r"channels_app\.", ("messages_app",)),
    (r"messages_app\.(?!writing\.|api\.)", ("channels_app",)),
    (r"messages_app\.writing\.", tuple(f"channels_app.{room}" for room in ROOMS)),
    (r"leases_app\.", ("channels_app", "messages_app")),
    (r"access_app\.", ("channels_app", "messages_app")),
    (r"relaycore\.", ("relayproject", "leases_app", "channels_app", "messages_app", "django")),
    (r"relaybase\.", ("relayproject", "leases_app", "access_app", "channels_app", "messages_app")),
    (r"relaystack\.", ("django", "leases_app", "channels_app", "messages_app")),
    (
        r"(relaybase\.(redis\.wire|keys|stopping|queues)|relayproject\.processes)$",
        ("django", "channels_app", "messages_app"),
    ),
    (r"channels_app\.listening\.", ("channels_app.api", "channels_app.tasks", "channels_app.admin")),
    (r"messages_app\.writing\.", ("messages_app.api", "messages_app.tasks", "messages_app.searching")),
    (r"messages_app\.searching\.", ("messages_app.api", "messages_app.tasks", "messages_app.writing")),
    (
        r"(channels|messages|leases)_app\.models$",
        ("channels_app.listening", "messages_app.writing", "celery"),
    ),
]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_point_downwards(path: Path) -> None:
    name, imported = name_of(path), imports_of(path)
    for pattern, forbidden in NEVER:
        if re.match(pattern, name + "." if pattern.endswith(".") else name):
            assert not starting(imported, *forbidden), f"{name} must not import {forbidden}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_only_one_module_makes_clients(path: Path) -> None:
    name = name_of(path)
    if name == "relaybase.connections" or name.startswith("relaystack"):
        return  # The stack asks servers whether they answer, before there are settings.
    clients = r"(?:Async)?MongoClient|ConnectionPool|redis(?:\.asyncio)?\.Redis(?:\.from_url)?|StrictRedis"
    assert not re.findall(rf"\b(?:{clients})\(", path.read_text())


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_only_one_module_spells_keys(path: Path) -> None:
    if name_of(path) in {"relaybase.keys", "relaycore.channels"}:
        return
    strings = {
        node.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "\n" not in node.value
    }
    assert not {text for text in strings if re.match(r"orchestrator_channel:|__relay:", text)}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_module_is_a_hub(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 300, "split it along a sentence that can be said aloud"
