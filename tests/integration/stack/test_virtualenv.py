"""`make` brings `.venv` up to date, once. No package is fetched here: the requirements are empty."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.stack.conftest import ROOT

SCRIPT = ROOT / "relaystack" / "virtualenv.py"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with an environment that was made to its end."""
    checkout = tmp_path_factory.mktemp("checkout")
    (checkout / "requirements.txt").write_text("# nothing\n")
    result = start(checkout).communicate()
    assert "Installing requirements.txt into .venv" in result[0]
    return checkout


@pytest.fixture
def checkout(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "checkout", symlinks=True))


def start(checkout: Path) -> subprocess.Popen[str]:
    argv = [sys.executable, "-I", str(SCRIPT), ".", "requirements.txt"]
    return subprocess.Popen(argv, cwd=checkout, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def run(checkout: Path) -> str:
    process = start(checkout)
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    return output


def test_a_second_time_does_nothing(checkout: Path) -> None:
    assert run(checkout) == ""


def test_other_requirements_are_installed(checkout: Path) -> None:
    (checkout / "constraints.txt").write_text("# something else\n")
    assert "Installing" in run(checkout)
    assert run(checkout) == ""


def test_two_at_the_same_time_install_once(checkout: Path) -> None:
    (checkout / "requirements.txt").write_text("# something else\n")
    outputs = [process.communicate()[0] for process in (start(checkout), start(checkout))]
    assert sum("Installing" in output for output in outputs) == 1


def test_an_environment_without_its_python_is_made_again(checkout: Path) -> None:
    python = checkout / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nothing")
    output = run(checkout)
    assert "Making .venv with Python" in output
    subprocess.run([python, "-m", "pip", "--version"], check=True, capture_output=True)


def test_a_failed_installation_is_tried_again(checkout: Path) -> None:
    (checkout / "requirements.txt").write_text("./nothing\n")
    for _ in range(2):
        process = start(checkout)
        _, errors = process.communicate()
        assert process.returncode == 1
        assert errors.splitlines()[-1] == "relay: The packages could not be installed; pip says above why."


def test_make_says_which_python_it_needs() -> None:
    result = subprocess.run(
        ["make", "venv", "PYTHON=false"], cwd=ROOT, check=False, text=True, capture_output=True
    )
    assert result.returncode != 0
    assert "relay: Python 3.11 or newer is needed, and " in result.stderr
    assert "is not: say which one to take by PYTHON=/path/to/python3.11" in result.stderr


def test_make_says_which_package_debian_needs(tmp_path: Path) -> None:
    """A Python that lacks what Debian leaves out."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -I -c "{WITHOUT_ENSUREPIP}" "$@"\n')
    python.chmod(0o755)
    (tmp_path / "requirements.txt").touch()
    result = subprocess.run(
        [python, SCRIPT, ".", "requirements.txt"], cwd=tmp_path, check=False, text=True, capture_output=True
    )
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert result.returncode == 1
    assert result.stderr == (
        f"relay: Python {version} cannot make virtual environments: apt-get install python{version}-venv\n"
    )


WITHOUT_ENSUREPIP = (
    "import runpy, sys; sys.modules['ensurepip'] = None; "
    "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
)
