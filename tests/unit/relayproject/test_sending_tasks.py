"""A process may send a task before it has done anything else with Celery."""

import os
import subprocess
import sys

SEND = """
import django
django.setup()
from celery import current_app
try:
    current_app.send_task("x", retry=False)
except Exception as exc:
    print(type(exc).__name__)
"""


def test_the_first_thing_that_a_process_asks_of_celery_may_be_to_send_a_task() -> None:
    environment = os.environ | {
        "DATABASE_URL": "postgres://x/x",
        "REDIS_URL": "redis://127.0.0.1:1",
        "MONGO_URL": "mongodb://x",
        "RELAY_SECRET_KEY": "x",
        "DJANGO_SETTINGS_MODULE": "relayproject.settings",
    }
    done = subprocess.run(
        [sys.executable, "-c", SEND], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "OperationalError\n"
    assert done.stderr == ""
