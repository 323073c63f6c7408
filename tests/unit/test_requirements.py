"""What `make run` installs is enough: the tests have more packages, which would hide a missing one."""

import re
import subprocess
import sys
from importlib.metadata import packages_distributions, requires
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]

ONLY = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in FORBIDDEN:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
import django
django.setup()
import relayproject.asgi, relayproject.celery, relayproject.urls, relaystack.__main__
import channels_app.tasks, messages_app.tasks
"""


def installed_by_requirements() -> set[str]:
    """The distributions of requirements.txt and, without end, what they require."""
    lines = (line.partition("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines())
    waiting = [Requirement(line) for line in lines if line and not line.startswith("-")]
    found: set[str] = set()
    while waiting:
        wanted = waiting.pop()
        name = canonical(wanted.name)
        if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
            continue
        if name in found and not wanted.extras:
            continue
        found.add(name)
        for line in requires(wanted.name) or []:
            more = Requirement(line)
            extras = ["", *wanted.extras]
            if more.marker is None or any(more.marker.evaluate({"extra": extra}) for extra in extras):
                more.marker = None
                waiting.append(more)
    return found


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_nothing_is_imported_that_make_run_does_not_install() -> None:
    installed = installed_by_requirements()
    forbidden = {
        module
        for module, distributions in packages_distributions().items()
        if not installed & {canonical(name) for name in distributions}
    }
    assert "pytest" in forbidden
    tried = subprocess.run(
        [sys.executable, "-c", f"FORBIDDEN = {forbidden!r}\n{ONLY}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert tried.returncode == 0, tried.stderr[-2000:]
