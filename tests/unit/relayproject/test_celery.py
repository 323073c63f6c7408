"""What a worker's process does as it begins."""

import subprocess
import sys


def test_what_a_process_of_a_worker_has_loaded_is_not_searched_for_circles() -> None:
    code = (
        "import gc; from relayproject.celery import app; app.loader.init_worker(); "
        "from celery import signals; signals.worker_process_init.send(None); "
        "print(len(gc.get_objects()), gc.get_freeze_count())"
    )

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    searched, spared = map(int, said.stdout.split())
    assert searched < 5000 < 50_000 < spared
