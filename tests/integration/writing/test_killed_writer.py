"""A writer that is killed between reading and acknowledging loses nothing and doubles nothing."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection

from leases_app.models import Lease
from messages_app.writing.writer import write

from .killed_writer import POINTS
from .world import World


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("point", POINTS)
def test_a_successor_finishes_what_a_killed_writer_began(
    point: str, world: World, settings: Any, wait_until: Callable[..., None]
) -> None:
    texts = [f"text {n}" for n in range(20)]
    for text in texts:
        world.append(text, "the same in every entry")
    databases = settings.DATABASES
    url = urlsplit(settings.SERVERS.database_url)._replace(path=f"/{databases['default']['NAME']}").geturl()
    killed = subprocess.run(
        [sys.executable, "-m", "tests.integration.writing.killed_writer", point],
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "relayproject.settings",
            "DATABASE_URL": url,
            "RELAY_MONGO_DATABASE": databases["messages"]["NAME"],
            "RELAY_WRITER_BATCH_MESSAGES": "4",
        },
        timeout=60,
        check=False,
        capture_output=True,
        text=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    Lease.objects.update(heartbeat_at=None)  # Its lease lapses.

    stop = threading.Event()

    def successor() -> None:
        write(0, stop.is_set)
        connection.close()

    thread = threading.Thread(target=successor)
    thread.start()
    try:
        wait_until(world.is_settled, seconds=20)
    finally:
        stop.set()
        thread.join(15)
    # Which of equal texts is the stored one is not promised: two inserts are in flight.
    assert sorted(world.stored()) == sorted([*texts, "the same in every entry"])
    assert world.counts() == {"orders": 21}
