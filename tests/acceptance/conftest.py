"""One Relay for all tests that leave it as they found it."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.stack import Stack


@pytest.fixture(scope="session")
def room() -> Iterator[Path]:
    """A directory that PostgreSQL can use, also when it runs as another user than we do."""
    room = Path(tempfile.mkdtemp(prefix="relay-acceptance-"))
    room.chmod(0o755)
    yield room
    shutil.rmtree(room, ignore_errors=True)


@pytest.fixture(scope="package")
def stack(room: Path) -> Iterator[Stack]:
    stack = Stack(room / "shared")
    stack.start()
    yield stack
    stack.stop()
