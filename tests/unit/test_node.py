"""What the tests take from npm is pinned, and comes by itself."""

import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.node import NODE, ROOT, environment, installed

EXACT = re.compile(r"(npm:[\w.@/-]+@)?\d+\.\d+\.\d+")
FOLDERS = [
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "--", "*package-lock.json"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
]


@pytest.mark.parametrize("lock", FOLDERS, ids=[str(lock.parent.relative_to(ROOT)) for lock in FOLDERS])
def test_each_package_has_one_version_and_one_hash(lock: Path) -> None:
    package = json.loads((lock.parent / "package.json").read_text())
    wanted = package.get("dependencies", {}) | package.get("devDependencies", {})
    assert wanted
    assert [name for name, version in wanted.items() if not EXACT.fullmatch(version)] == []
    packages = json.loads(lock.read_text())["packages"]
    assert [name for name, found in packages.items() if name and not found["integrity"]] == []
    stated = packages[""].get("dependencies", {}) | packages[""].get("devDependencies", {})
    assert stated == wanted


def test_two_at_once_install_once(tmp_path: Path) -> None:
    stated = {"name": "nothing", "version": "1.0.0"}
    (tmp_path / "package.json").write_text(json.dumps(stated))
    lock = {**stated, "lockfileVersion": 3, "requires": True, "packages": {"": stated}}
    (tmp_path / "package-lock.json").write_text(json.dumps(lock))
    with ThreadPoolExecutor() as pool:
        assert list(pool.map(installed, [tmp_path] * 2)) == [tmp_path] * 2
    stamp = tmp_path / "node_modules" / ".installed"
    first = stamp.stat().st_mtime_ns
    installed(tmp_path)
    assert stamp.stat().st_mtime_ns == first


def test_a_lock_file_that_says_something_else_is_an_error(tmp_path: Path) -> None:
    stated = {"name": "nothing", "version": "1.0.0"}
    lock = {**stated, "lockfileVersion": 3, "requires": True, "packages": {"": stated}}
    (tmp_path / "package-lock.json").write_text(json.dumps(lock))
    (tmp_path / "package.json").write_text(json.dumps({**stated, "dependencies": {"eventsource": "5.1.5"}}))
    with pytest.raises(AssertionError, match="npm could not install"):
        installed(tmp_path)


def test_what_a_script_calls_node_is_the_pinned_one() -> None:
    pinned = subprocess.run([NODE, "--version"], capture_output=True, text=True, check=True).stdout
    called = subprocess.run(
        ["node", "--version"], env=environment(), capture_output=True, text=True, check=True
    )
    assert called.stdout == pinned
