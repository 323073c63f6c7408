"""CONTRIBUTING.md says which files to touch: they are there, and have what it names."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text()

FILES = re.findall(r"`([\w.-]+(?:/[\w.-]+)+/?|[\w-]+\.yml|Dockerfile|\.dockerignore)`", PAGE)
TABLES = re.findall(r"`(\w+)`(?: in| of|)\s+\(?`([\w/]+\.py)`", PAGE)
"""What is said to be in a file, and the file."""


def test_every_file_that_is_named_is_there() -> None:
    assert {"docker-compose.yml", "relayproject/urls.py", ".dockerignore"} <= {*FILES}
    assert [name for name in FILES if not (ROOT / name).exists()] == []


def test_every_table_that_is_named_is_in_its_file() -> None:
    assert {"Role", "ENDLESS", "IN_MONGODB", "COUNTERS", "ANSWERS"} <= {name for name, _ in TABLES}
    for name, file in TABLES:
        assert re.search(rf"\b{name}\b", (ROOT / file).read_text()), f"{name} in {file}"
