"""What the fault tests do to processes is done to those that are meant."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.chaos.cluster import Cluster


def test_a_leader_whose_heartbeat_is_late_is_waited_for(
    tmp_path: Path, monkeypatch: Any, wait_until: Callable[..., None]
) -> None:
    """Whoever sends a signal to 0 instead sends it to all of the tests."""
    settings = SimpleNamespace(
        DATABASES={"default": {"NAME": "x"}, "messages": {"NAME": "x"}},
        SERVERS=SimpleNamespace(
            database_url="postgres://x/x", redis_url="redis://x", mongo_url="mongodb://x"
        ),
    )
    cluster = Cluster(settings, None, wait_until, tmp_path / "log")
    seen = iter([None, 0, 4711])
    monkeypatch.setattr(cluster, "leader_pid", lambda: next(seen))

    assert cluster.wait_for_leader() == 4711
