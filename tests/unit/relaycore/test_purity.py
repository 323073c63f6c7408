"""relaycore decides; it does not touch the world."""

import ast
import re
import sys
from pathlib import Path

import pytest

import relaycore

FORBIDDEN = {"time", "random", "socket", "threading", "asyncio", "logging", "os", "subprocess"}
CORE = Path(relaycore.__file__).parent
MODULES = sorted(CORE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(CORE)))
def test_imports_only_what_has_no_clock_and_no_world(path: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])
    assert imported <= set(sys.stdlib_module_names) | {"relaycore"}
    assert not imported & FORBIDDEN


def test_the_package_says_what_each_module_is_for() -> None:
    described = re.findall(r"^`([\w.]+)` +\S", relaycore.__doc__ or "", re.MULTILINE)
    names = [path.relative_to(CORE).with_suffix("").parts for path in MODULES if path.stem != "__init__"]
    assert sorted(described) == sorted(".".join(parts) for parts in names)
