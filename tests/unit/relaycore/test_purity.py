"""relaycore decides; it does not touch the world."""

import ast
import re
import sys
from pathlib import Path

import pytest

import relaycore

FORBIDDEN = {"time", "random", "socket", "threading", "asyncio", "logging", "os", "subprocess"}
MODULES = sorted(Path(relaycore.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
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
    described = re.findall(r"^`(\w+)` +\S", relaycore.__doc__ or "", re.MULTILINE)
    assert sorted(described) == [path.stem for path in MODULES if path.stem != "__init__"]
