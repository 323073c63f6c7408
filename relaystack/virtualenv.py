"""Make `.venv` and install a requirements file into it, if that has not been done.

    python3 -I virtualenv.py CHECKOUT REQUIREMENTS

What the Makefile does before everything else, so it runs on a bare Python and imports nothing of this
project. Two at the same time on one checkout wait for each other.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path


def main(checkout: Path, requirements: Path) -> None:
    """Bring the environment up to date."""
    directory = checkout / ".venv"
    stamp = directory / f".installed-{requirements.stem}"
    wanted = fingerprint(checkout)
    if is_installed(directory, stamp, wanted):
        return
    directory.mkdir(exist_ok=True)
    lock(directory)
    if is_installed(directory, stamp, wanted):  # by the one we waited for
        return
    stamp.unlink(missing_ok=True)
    if not has_pip(directory):
        make(directory)
    say(f"Installing {requirements.name} into {directory.name}. The first time takes a minute or two.")
    pip: list[str | Path] = [
        directory / "bin" / "python",
        "-I",  # Not what PYTHONPATH has.
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
    ]
    if subprocess.run([*pip, "-r", requirements], check=False, cwd=checkout).returncode != 0:
        sys.exit("relay: The packages could not be installed; pip says above why.")
    stamp.write_text(wanted)


def fingerprint(checkout: Path) -> str:
    """Changes with any requirement."""
    files = sorted([*checkout.glob("requirements*.txt"), *checkout.glob("constraints*.txt")])
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def is_installed(directory: Path, stamp: Path, wanted: str) -> bool:
    """Whether there is nothing to do. The interpreter is a link: it may point to one that was removed."""
    return (directory / "bin" / "python").exists() and stamp.exists() and stamp.read_text() == wanted


def has_pip(directory: Path) -> bool:
    """Whether the environment was made to its end."""
    python = directory / "bin" / "python"
    return python.exists() and subprocess.run([python, "-I", "-c", "import pip"], check=False).returncode == 0


def make(directory: Path) -> None:
    """Make an empty environment."""
    try:
        import ensurepip  # noqa: F401, PLC0415 -- Debian leaves it out, and `venv` then fails at its end
    except ImportError:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        sys.exit(
            f"relay: Python {version} cannot make virtual environments: apt-get install python{version}-venv"
        )
    say(f"Making {directory.name} with Python {sys.version.split()[0]}.")
    # --clear keeps the directory itself, and so the lock on it.
    if (
        subprocess.run([sys.executable, "-I", "-m", "venv", "--clear", directory], check=False).returncode
        != 0
    ):
        sys.exit(f"relay: {directory} could not be made; Python says above why.")


def lock(directory: Path) -> None:
    """Wait until nobody else works on it. Given back when we end."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("Waiting for another make that installs.")
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def say(text: str) -> None:
    """Print before pip prints."""
    print(text, flush=True)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]).absolute(), Path(sys.argv[2]).absolute())
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        sys.exit(f"relay: {error.filename or 'The system'}: {error.strerror}.")
