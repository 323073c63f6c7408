"""The package: what it is made of, what it needs, and that it can be built and used by itself."""

import email
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from dataclasses import fields
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import relay_client
from relay_client import errors, publishing, receiving, subscribing, watching
from tests.floors import rules
from tests.floors.imports import imports_of

PACKAGE = Path(__file__).parents[1]
SOURCE = PACKAGE / "src"
MODULES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(SOURCE.rglob("*.py"))
}
PROJECT = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]

PACKAGES = (publishing, subscribing, watching, receiving)
SHELLS = {
    *("connections", "streams", "client", "async_client"),
    *("publishing.producer", "publishing.async_producer"),
    *("subscribing.consumer", "subscribing.async_consumer"),
    *("watching.live", "watching.async_live"),
    "receiving.verifying",
}
"""What does I/O, waits, and looks at the clock. Everything else decides."""
OUTSIDE = {"time", "random", "socket", "threading", "asyncio", "ssl", "os", "concurrent", "httpx2", "atexit"}


@pytest.mark.parametrize(("name", "path"), MODULES.items(), ids=MODULES)
def test_a_module_imports_the_standard_library_and_httpx2(name: str, path: Path) -> None:
    found = imports_of(name, path.read_text(), MODULES) - MODULES.keys()
    extra = {"cryptography"} if name == "relay_client.receiving.ed25519" else set()
    assert found <= sys.stdlib_module_names | {"httpx2"} | extra
    assert list(rules.long(name, path.read_text())) == []
    assert list(rules.entangled(name, path.read_text())) == []


@pytest.mark.parametrize(("name", "path"), MODULES.items(), ids=MODULES)
def test_chance_is_a_clients_own(name: str, path: Path) -> None:
    """A program that seeds `random` would have all of its processes come again at the same moments."""
    assert set(re.findall(r"\brandom\.(\w+)\(", path.read_text())) <= {"Random"}
    assert not re.search(r"^from random import", path.read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", sorted(MODULES.keys() - {f"relay_client.{shell}" for shell in SHELLS}))
def test_what_decides_has_no_clock_no_chance_and_no_socket(name: str) -> None:
    if name in {
        "relay_client",
        "relay_client.publishing",
        "relay_client.subscribing",
        "relay_client.watching",
        "relay_client.receiving",
    }:
        return  # They name the others.
    imported = imports_of(name, MODULES[name].read_text(), MODULES)
    assert not imported & OUTSIDE
    assert not imported & {f"relay_client.{shell}" for shell in SHELLS}


def test_folders_are_not_crowded() -> None:
    packages = {name for name, path in MODULES.items() if path.name == "__init__.py"}
    assert list(rules.crowded(MODULES, packages)) == []
    for package in PACKAGES:
        folder = Path(package.__file__ or "").parent
        inside = {path.stem for path in folder.glob("[!_]*.py")}
        assert inside == set(re.findall(r"^`(\w+)` +\S", package.__doc__ or "", re.MULTILINE))


def test_the_errors_are_the_tree_that_is_drawn() -> None:
    kinds = {
        name: each
        for name, each in vars(errors).items()
        if isinstance(each, type) and issubclass(each, errors.RelayError)
    }
    for text in (errors.__doc__ or "", (PACKAGE / "README.md").read_text()):
        drawn: dict[str, str] = {}
        above = ["RelayError"]
        for lead, name in re.findall(r"^([ │├└─]*[├└]── )(\w+)", text, re.MULTILINE):
            depth = len(lead) // 4
            above[depth:] = [name]
            drawn[name] = above[depth - 1]
        assert drawn == {
            name: kind.__mro__[1].__name__ for name, kind in kinds.items() if name != "RelayError"
        }
    assert kinds.keys() <= set(relay_client.__all__)


def test_what_is_offered_is_there_and_described() -> None:
    for name in relay_client.__all__:
        offered = getattr(relay_client, name)
        assert not isinstance(offered, type) or offered.__doc__
    readme = (PACKAGE / "README.md").read_text()
    for record, count in ((relay_client.Limits, 7), (relay_client.Pace, 8)):
        names = [each.name for each in fields(record)]
        assert len(names) == count
        assert all(f"`{name}`" in readme for name in names)


def run(*command: str | Path, cwd: Path, **environment: str) -> None:
    done = subprocess.run(
        [sys.executable, *command],
        env=os.environ | environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_it_is_built_typed_and_works_without_the_repository(tmp_path: Path) -> None:
    run("-m", "hatchling", "build", "--target", "wheel", "--directory", tmp_path, cwd=PACKAGE)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
        [metadata] = [name for name in names if name.endswith("/METADATA")]
        about = email.message_from_bytes(packed.read(metadata))
    assert {name for name in names if name.startswith("relay_client/")} == {
        "relay_client/py.typed",
        *(str(path.relative_to(SOURCE)) for path in MODULES.values()),
    }
    assert (about["Name"], about["Version"]) == ("relay-client", relay_client.__version__)
    needed = about.get_all("Requires-Dist") or []
    optional = [
        f"{requirement}; extra == '{extra}'"
        for extra, requirements in PROJECT["optional-dependencies"].items()
        for requirement in requirements
    ]
    assert [*map(Requirement, needed)] == [*map(Requirement, [*PROJECT["dependencies"], *optional])]
    alone = (
        "import sys, relay_client; relay_client.Client('http://relay', 'key').close();"
        "assert 'cryptography' not in sys.modules"
    )
    run("-W", "error", "-c", alone, cwd=tmp_path, PYTHONPATH=str(wheel))
