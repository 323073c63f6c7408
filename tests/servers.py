"""A pytest plugin that starts real PostgreSQL, Valkey and MongoDB before Django reads its settings.

Every run has servers of its own, on free ports and in a new directory, so two runs at
the same time do not meet. Variables of the caller's environment that name servers are
overruled: a test must never write into a database that somebody needs.
"""

import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from relaystack.servers.together import servers_for_tests

_exit = ExitStack()


def _start() -> None:
    directory = Path(tempfile.mkdtemp(prefix="relay-tests-"))
    directory.chmod(0o755)  # PostgreSQL runs as another user if we are root.
    _exit.callback(shutil.rmtree, directory, ignore_errors=True)
    servers = _exit.enter_context(
        servers_for_tests(directory, mongo_extra=("--setParameter", "enableTestCommands=1"))
    )
    for name in [name for name in os.environ if name.startswith(("RELAY_", "CELERY_", "SENTRY_", "OTEL_"))]:
        del os.environ[name]
    os.environ |= {
        "DATABASE_URL": servers.postgres.url,
        "REDIS_URL": servers.redis.url,
        "MONGO_URL": servers.mongo.url,
        "RELAY_SECRET_KEY": "only for tests",
        "RELAY_ENCRYPTION_KEYS": "b25seSBmb3IgdGVzdHMsIDMyIGJ5dGVzIG9mIGl0Li4=",
        "RELAY_DATA_DIR": str(directory),
    }


def pytest_unconfigure() -> None:
    """Stop the servers after everything else."""
    _exit.close()


_start()
