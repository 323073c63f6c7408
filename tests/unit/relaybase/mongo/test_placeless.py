"""A process that opens MongoDB starts no other one."""

import subprocess
import sys
from ctypes import util
from pathlib import Path

ROOT = Path(__file__).parents[4]

OPENS_ALL = """
import sys
started = []
sys.addaudithook(lambda event, arguments: event == "subprocess.Popen" and started.append(arguments[0]))
import django
django.setup()
from django.db import connections
assert "messages" in {one.alias for one in connections.all()}
print(len(started), "django.contrib.gis.gdal.libgdal" in sys.modules)
"""


def test_no_process_is_started_to_open_the_databases() -> None:
    done = subprocess.run(
        [sys.executable, "-c", OPENS_ALL], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == "0 False\n", done.stderr


def test_whoever_else_looks_for_a_library_finds_it() -> None:
    from relaybase.mongo import placeless

    assert util.find_library is placeless._find
