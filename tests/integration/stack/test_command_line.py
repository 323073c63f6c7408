"""`python -m relaystack`, up to the point where Relay's own programs begin."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from relaystack.datadir import DataDirectory
from relaystack.options import read_options
from relaystack.servers.embedded import Server
from relaystack.servers.external import UNREADABLE, without_password
from relaystack.servers.together import start_all
from relaystack.summary import summary
from tests.integration.stack.conftest import ROOT

Spawn = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def refusal(spawn: Spawn, tmp_path: Path) -> Callable[..., str]:
    """Start, and expect to be refused with one sentence."""

    def start(**environment: str) -> str:
        settings = {"RELAY_DATA_DIR": str(tmp_path / "var"), "RELAY_WEB_PORT": "0"}
        process = spawn("relaystack", **(settings | environment))
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 1
        assert errors.startswith("relay: ")
        assert errors.count("\n") == 1
        return errors.removeprefix("relay: ").rstrip()

    return start


def test_second_start_on_the_same_data_is_refused(refusal: Callable[..., str], tmp_path: Path) -> None:
    data = DataDirectory(tmp_path / "var")
    data.hold()
    assert "var is in use by process " in refusal()
    data.release()


def test_a_taken_web_port_is_refused_before_anything_is_made(
    refusal: Callable[..., str], tmp_path: Path
) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        sentence = refusal(RELAY_WEB_PORT=str(port))
    assert sentence == f"Port {port} is taken: free it (Ctrl-C ends another make run) or set RELAY_WEB_PORT."
    assert not (tmp_path / "var").exists()


def test_make_looks_at_the_port_before_it_installs_anything(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text())
        (tmp_path / "relaystack").symlink_to(ROOT / "relaystack")
        run = subprocess.run(
            ["make", "run"],
            cwd=tmp_path,
            env={**os.environ, "RELAY_WEB_PORT": str(port)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert run.stderr.startswith(
        f"relay: Port {port} is taken: free it (Ctrl-C ends another make run) or set RELAY_WEB_PORT."
    )
    assert run.returncode != 0
    assert not (tmp_path / ".venv").exists()


def test_what_is_printed_has_redis_address_and_what_publishes_there(tmp_path: Path) -> None:
    options = read_options(["--data-dir", str(tmp_path), "--port", "0"], {})

    said = summary(options, "relay", "secret", "token", "redis://127.0.0.1:26379/0")

    assert "Redis         redis://127.0.0.1:26379/0\n" in said
    assert 'redis-cli -u redis://127.0.0.1:26379/0 PUBLISH orders "hello"\n' in said


@pytest.mark.parametrize("port", ["http", "65536", "-1", "²"])
def test_what_is_no_port_is_refused(port: str, refusal: Callable[..., str]) -> None:
    assert "RELAY_WEB_PORT must be a port, a number from 0 to 65535" in refusal(RELAY_WEB_PORT=port)


def test_a_setting_that_cannot_be_used_is_refused_before_anything_is_made(
    refusal: Callable[..., str], tmp_path: Path
) -> None:
    assert refusal(RELAY_LOG_LEVEL="verbose").startswith("RELAY_LOG_LEVEL must be DEBUG, ")
    assert refusal(RELAY_PARTITIONS="many").startswith("RELAY_PARTITIONS must be a whole number from 1 to ")
    assert refusal(CELERY_BROKER_URL="localhost").startswith("CELERY_BROKER_URL must be a URL such as ")
    assert not (tmp_path / "var").exists()


def test_an_address_of_another_machine_is_refused(refusal: Callable[..., str]) -> None:
    assert "The web server cannot listen on 192.0.2.1, port 0" in refusal(RELAY_WEB_HOST="192.0.2.1")


def test_a_file_in_place_of_the_data_directory_is_refused(
    refusal: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    assert refusal(RELAY_DATA_DIR=str(tmp_path / "file" / "var")) == f"{tmp_path}/file/var: Not a directory."


@pytest.mark.parametrize(
    ("setting", "title", "scheme"),
    [
        ("DATABASE_URL", "PostgreSQL", "postgresql"),
        ("REDIS_URL", "Redis", "redis"),
        ("MONGO_URL", "MongoDB", "mongodb"),
    ],
)
def test_a_given_server_that_is_away_is_named_without_its_password(
    setting: str, title: str, scheme: str, refusal: Callable[..., str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        database = "0" if scheme == "redis" else "relay"
        sentence = refusal(**{setting: f"{scheme}://somebody:s3cret@{place}/{database}"})
    assert sentence.startswith(f"{title} at {scheme}://{place} does not answer")
    assert sentence.endswith(f"correct that or {setting}, or unset {setting} to use the embedded server.")
    assert "s3cret" not in sentence
    assert "somebody" not in sentence


@pytest.mark.parametrize(
    "url", ["nonsense", "postgresql://u:s3c/ret@host:5x/relay", "postgresql://[::1/relay"]
)
def test_a_url_that_cannot_be_read_is_not_repeated(url: str, refusal: Callable[..., str]) -> None:
    sentence = refusal(DATABASE_URL=url)
    assert sentence.startswith("DATABASE_URL must ")
    assert "s3c" not in sentence


def test_an_option_that_cannot_be_honoured_is_named(refusal: Callable[..., str]) -> None:
    assert "MONGO_URL has the option w, which must be majority" in refusal(MONGO_URL="mongodb://mongo/?w=1")
    sentence = refusal(DATABASE_URL="postgres://u:s3cret@127.0.0.1:1/relay?sslmod=require")
    assert sentence == "DATABASE_URL has the option sslmod, which libpq does not know."


def test_a_wrong_password_is_told_from_a_server_that_is_away(
    refusal: Callable[..., str], make_server: Callable[..., Server]
) -> None:
    server = make_server("postgres")
    start_all([server])
    sentence = refusal(DATABASE_URL=f"postgresql://relay:wrong@127.0.0.1:{server.port}/relay")
    assert "refuses the user or the password" in sentence


def test_a_url_may_be_in_a_file(refusal: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "url").write_text("redis://127.0.0.1:1/0\n")
    assert "Redis at redis://127.0.0.1:1 does not answer" in refusal(REDIS_URL_FILE=str(tmp_path / "url"))
    assert "REDIS_URL_FILE: /nothing cannot be read: No such file" in refusal(REDIS_URL_FILE="/nothing")
    twice = {"REDIS_URL": "redis://127.0.0.1:1/0", "REDIS_URL_FILE": str(tmp_path / "url")}
    assert refusal(**twice) == "Set REDIS_URL or REDIS_URL_FILE, not both."


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:secret@cache:6379/0?password=secret", "redis://cache:6379"),
        ("rediss://user:se%2Fcret@[::1]:6379", "rediss://[::1]:6379"),
        ("mongodb://user:secret@one:27017,two:27018/?replicaSet=secret", "mongodb://one:27017,two:27018"),
        ("postgres://user:1234/5678@host/relay", UNREADABLE),
        ("postgres://user:secret/word@host/relay", UNREADABLE),
        ("postgres://user:1234#5678@host/relay", UNREADABLE),
        ("unix:///run/redis.sock?password=secret", "unix:///run/redis.sock"),
        ("unix://:secret@/run/redis.sock", "unix:///run/redis.sock"),
        ("secret", UNREADABLE),
    ],
)
def test_only_the_place_is_shown_of_a_url(url: str, shown: str) -> None:
    assert without_password(url) == shown


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_start_can_be_broken_off(number: int, spawn: Spawn, tmp_path: Path) -> None:
    process = spawn("relaystack", RELAY_DATA_DIR=str(tmp_path / "var"), RELAY_WEB_PORT="0")
    assert process.stdout is not None
    assert "Starting PostgreSQL, Valkey, MongoDB." in process.stdout.readline()
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    _, errors = process.communicate(timeout=25)
    assert (process.returncode, errors) == (0, "")
    assert not psutil.wait_procs(children, timeout=1)[1]
    assert json.loads((tmp_path / "var" / "stack.json").read_text())["pids"] == {}
