"""The stack runs before there is anything to configure Django with."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

LOADED = """
import importlib, pkgutil, sys, relaystack
for module in pkgutil.walk_packages(relaystack.__path__, "relaystack."):
    importlib.import_module(module.name)
assert "relaystack.running.supervisor" in sys.modules
relaystack.options.require_settings()
assert "relaybase.whereabouts" in sys.modules
print(*sorted({"django", "celery", "kombu"} & set(sys.modules)))
"""


def test_neither_django_nor_celery_is_loaded() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
