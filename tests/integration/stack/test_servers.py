"""The embedded servers start, stop, and keep what they were given."""

import os
import re
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg2
import pymongo
import pytest
import redis

from relaystack import ports
from relaystack.errors import PortTaken, StackError
from relaystack.servers.embedded import Server
from relaystack.servers.postgres import Postgres
from relaystack.servers.together import servers_for_tests, start_all
from tests.integration.stack.conftest import SERVERS, is_running


def write(server: Server) -> None:
    """Store something, durably."""
    if server.name == "postgres":
        connection = psycopg2.connect(server.url)
        connection.cursor().execute("CREATE TABLE kept AS SELECT 'hello' AS text")
        connection.commit()
        connection.close()
    elif server.name == "redis":
        with redis.Redis.from_url(server.url) as client:
            client.set("kept", "hello")
            assert client.waitaof(1, 0, 5000)[0] == 1
    else:
        durable = pymongo.WriteConcern(w="majority", j=True)
        with pymongo.MongoClient(server.url) as client:
            client["relay"].get_collection("kept", write_concern=durable).insert_one({"text": "hello"})


def read(server: Server) -> object:
    """What was stored."""
    if server.name == "postgres":
        connection = psycopg2.connect(server.url)
        cursor = connection.cursor()
        cursor.execute("SELECT text FROM kept")
        row = cursor.fetchone()
        connection.close()
        return row and row[0]
    if server.name == "redis":
        with redis.Redis.from_url(server.url, decode_responses=True) as client:
            return client.get("kept")
    with pymongo.MongoClient(server.url) as client:
        found = client["relay"]["kept"].find_one()
        return found and found["text"]


def start(server: Server) -> None:
    start_all([server])


def pid_of(server: Server) -> int:
    assert server.process is not None
    return server.process.pid


@pytest.fixture
def occupied_port() -> Iterator[int]:
    """Taken, but nobody answers there, so that no driver waits for an answer."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.mark.parametrize("kind", SERVERS)
def test_keeps_its_data_over_a_stop(kind: str, make_server: Callable[..., Server]) -> None:
    first = make_server(kind)
    start(first)
    write(first)
    first.stop()
    assert first.process is not None
    assert first.process.exit_code == 0

    second = make_server(kind)
    start(second)
    assert read(second) == "hello"


@pytest.mark.parametrize("kind", SERVERS)
def test_keeps_its_data_over_kill_9(kind: str, make_server: Callable[..., Server]) -> None:
    first = make_server(kind)
    start(first)
    write(first)
    os.kill(pid_of(first), signal.SIGKILL)
    first.stop()

    second = make_server(kind)
    start(second)
    assert read(second) == "hello"


@pytest.mark.parametrize("kind", SERVERS)
def test_listens_on_the_loopback_address_only(kind: str, make_server: Callable[..., Server]) -> None:
    server = make_server(kind)
    start(server)
    listening = Path("/proc/net/tcp")
    if not listening.exists():
        pytest.skip("needs /proc")
    port = f":{server.port:04X} "
    lines = [
        line.split()[1]
        for line in listening.read_text().splitlines()[1:]
        if f"{port}00000000:0000 0A" in line
    ]
    assert lines == [f"0100007F:{server.port:04X}"]
    assert port not in Path("/proc/net/tcp6").read_text()


@pytest.mark.parametrize("kind", SERVERS)
def test_a_port_that_was_asked_for_and_is_taken_is_refused(
    kind: str, make_server: Callable[..., Server], occupied_port: int
) -> None:
    with pytest.raises(PortTaken, match=f"port {occupied_port} is taken: free it or choose another"):
        start(make_server(kind, port=occupied_port))


@pytest.mark.parametrize("kind", SERVERS)
def test_a_preferred_port_that_is_taken_gives_way_to_another(
    kind: str, make_server: Callable[..., Server], occupied_port: int
) -> None:
    server = make_server(kind, preferred_port=occupied_port)
    start(server)
    assert server.port != occupied_port


@pytest.mark.parametrize("kind", SERVERS)
def test_a_port_that_somebody_takes_in_the_last_moment_gives_way_to_another(
    kind: str, make_server: Callable[..., Server], occupied_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = make_server(kind, preferred_port=occupied_port)
    with monkeypatch.context() as patch:
        patch.setattr(ports, "is_free", lambda port: True)
        server.start()
    assert server.port == occupied_port
    server.wait_until_ready()
    assert server.port != occupied_port


@pytest.mark.parametrize("kind", SERVERS)
def test_another_server_on_the_port_is_not_taken_for_ours(
    kind: str, make_server: Callable[..., Server], tmp_path: Path
) -> None:
    other = make_server(kind, tmp_path / "other")
    start(other)
    ours = make_server(kind, port=other.port)
    with pytest.raises(PortTaken):
        start(ours)


def test_two_runs_at_the_same_time_do_not_meet(tmp_path: Path) -> None:
    with servers_for_tests(tmp_path / "a") as one, servers_for_tests(tmp_path / "b") as two:
        urls = [server.url for run in (one, two) for server in (run.postgres, run.redis, run.mongo)]
        assert len(set(urls)) == 6


def test_if_one_fails_none_is_left_running(
    make_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, script: Callable[[str, str], Path]
) -> None:
    monkeypatch.setenv("RELAY_MONGOD", str(script("mongod", "exit 3")))
    healthy, broken = make_server("redis"), make_server("mongo")
    with pytest.raises(StackError, match="MongoDB did not start \\(exit code 3"):
        start_all([healthy, broken])
    assert not is_running(pid_of(healthy))


def test_two_servers_never_run_on_one_postgres_directory(make_server: Callable[..., Server]) -> None:
    first = make_server("postgres")
    start(first)
    with pytest.raises(StackError, match=rf"already runs on .*\(process {pid_of(first)}\): stop it first\."):
        start(make_server("postgres"))


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_postgres_starts_although_its_dead_predecessor_is_not_collected(
    make_server: Callable[..., Server], wait_until: Callable[..., None]
) -> None:
    """As in a container whose first process collects nobody: our own zombie stands for it."""
    first = make_server("postgres")
    start(first)
    os.kill(pid_of(first), signal.SIGKILL)
    wait_until(lambda: not is_running(pid_of(first)))
    second = make_server("postgres")
    start(second)
    assert psutil.Process(pid_of(first)).status() == psutil.STATUS_ZOMBIE


def test_postgres_starts_although_a_stranger_has_the_number_of_its_predecessor(
    make_server: Callable[..., Server],
) -> None:
    first = make_server("postgres")
    start(first)
    file = first.directory / "data" / "postmaster.pid"
    content = file.read_text()
    first.stop()
    stranger = make_server("redis")
    start(stranger)
    file.write_text(content.replace(str(pid_of(first)), str(pid_of(stranger)), 1))
    os.chown(file, first.directory.stat().st_uid, first.directory.stat().st_gid)
    start(make_server("postgres"))


def test_an_initialisation_that_was_broken_off_is_done_again(make_server: Callable[..., Server]) -> None:
    server = make_server("postgres")
    assert isinstance(server, Postgres)
    unfinished = server.directory / "data.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    start(server)
    assert not unfinished.exists()


def test_postgres_asks_for_a_password_that_only_its_owner_can_read(
    make_server: Callable[..., Server],
) -> None:
    server = make_server("postgres")
    start(server)
    assert (server.directory / "password").stat().st_mode & 0o777 == 0o600
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(re.sub(r":[^:]+@", ":wrong@", server.url))


def test_postgres_compares_text_the_same_way_everywhere(make_server: Callable[..., Server]) -> None:
    server = make_server("postgres")
    start(server)
    connection = psycopg2.connect(server.url)
    cursor = connection.cursor()
    cursor.execute(
        "SELECT datlocale, pg_encoding_to_char(encoding), current_setting('timezone'), lower('Ä') "
        "FROM pg_database WHERE datname = current_database()"
    )
    assert cursor.fetchone() == ("C.UTF-8", "UTF8", "UTC", "ä")
    connection.close()


def test_valkey_never_forgets_to_make_room(make_server: Callable[..., Server]) -> None:
    server = make_server("redis")
    start(server)
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        settings = client.config_get("maxmemory-policy", "append*", "save", "client-output-buffer-limit")
    assert settings["maxmemory-policy"] == "noeviction"
    assert (settings["appendonly"], settings["appendfsync"], settings["save"]) == ("yes", "everysec", "")
    assert settings["client-output-buffer-limit"].endswith(f"pubsub {256 << 20} {128 << 20} 60")
