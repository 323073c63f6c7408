"""`make run` where variables stand in the environment that are meant for other programs."""

from collections.abc import Callable
from pathlib import Path

from tests.acceptance.stack import ROOT, Stack

STRANGE = {
    "PYTHONSAFEPATH": "1",
    "PYTHONHOME": "/nowhere",
    "PYTHONWARNINGS": "error",
    "PGSSLMODE": "verify-full",
    "PGSERVICE": "nowhere",
    "PGUSER": "nobody",
    "PGPORT": "1",
    "PGOPTIONS": "-c search_path=nowhere",
    "CELERY_LOADER": "nowhere.Loader",
    "CELERY_RESULT_BACKEND": "nowhere://",
    "DJANGO_SETTINGS_MODULE": "nowhere.settings",
    "WEB_CONCURRENCY": "3",
    "UVICORN_PORT": "1",
}


def test_it_is_not_led_astray(room: Path, wait_until: Callable[..., None]) -> None:
    shadows = room / "shadows"
    shadows.mkdir()
    for name in ("sitecustomize", "redis", "psycopg2", "django", "celery", "relaystack", "relayproject"):
        (shadows / f"{name}.py").write_text(f"raise SystemExit('{name} of somebody else')\n")
    stack = Stack(room / "strange", PYTHONPATH=str(shadows), **STRANGE)
    stack.start()
    try:
        stack.listen_to("orders")
        stack.redis.publish("orders", "hello")
        wait_until(lambda: stack.texts("orders") == ["hello"])
        assert set(stack.pids) >= {
            "web",
            "listeners",
            "writers",
            "senders",
            "processors",
            "default",
            "beat",
            "postgres",
        }
    finally:
        stack.stop()


def test_the_makefile_starts_it_so() -> None:
    assert "$(BIN)/python -E -m relaystack" in (ROOT / "Makefile").read_text()
