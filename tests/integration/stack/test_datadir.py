"""The data directory has one owner and one user at a time, and remembers."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from relaystack.datadir import DataDirectory
from relaystack.errors import DataInUse, StackError, StopRequested
from relaystack.files import write_json
from relaystack.running.process import Command, Process


@pytest.fixture
def data(tmp_path: Path) -> Iterator[DataDirectory]:
    directory = DataDirectory(tmp_path / "var")
    directory.hold()
    yield directory
    directory.release()


def child(data: DataDirectory, code: str) -> Process:
    log = data.log / "child.log"
    argv = [sys.executable, "-c", code]
    return Command("child", argv, log, os.environ, inherited=data.inherited).start()


def test_second_start_on_the_same_data_is_refused(data: DataDirectory) -> None:
    with pytest.raises(
        DataInUse, match=rf"{data.path} is in use by process {os.getpid()}: stop that one first"
    ):
        DataDirectory(data.path).hold()


def test_another_start_may_have_it_afterwards(data: DataDirectory) -> None:
    data.release()
    second = DataDirectory(data.path)
    second.hold()
    second.release()


def test_a_start_waits_for_the_children_of_a_supervisor_that_was_killed(data: DataDirectory) -> None:
    survivor = child(data, "import time; time.sleep(0.5)")
    data.release()
    second = DataDirectory(data.path)
    second.hold()
    assert survivor.exit_code == 0
    second.release()


def test_children_that_do_not_end_are_named(data: DataDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    survivor = child(data, "import time; time.sleep(60)")
    write_json(data.path / "stack.json", {"pids": {"redis": survivor.pid}})
    data.release()
    monkeypatch.setattr("relaystack.datadir.CHILDREN_DEADLINE_SECONDS", 0.2)
    with pytest.raises(DataInUse, match=rf"still use .*: end them first \(redis {survivor.pid}\)\."):
        DataDirectory(data.path).hold()
    survivor.kill()


def test_nobody_has_it_after_a_wait_that_was_broken_off(data: DataDirectory) -> None:
    survivor = child(data, "import time; time.sleep(60)")
    data.release()

    def stop(seconds: float) -> None:
        raise StopRequested

    with pytest.raises(StopRequested):
        DataDirectory(data.path).hold(stop)
    survivor.kill()
    data.hold()


def test_it_is_closed_to_others(data: DataDirectory) -> None:
    data.secret("secret_key")
    data.encryption_key()
    data.operator()
    data.remember_ports({"redis": 1})
    assert data.path.stat().st_mode & 0o066 == 0
    for path in data.path.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path


def test_secrets_are_made_once(data: DataDirectory) -> None:
    assert data.secret("secret_key") == data.secret("secret_key")
    assert data.operator() == data.operator()
    assert data.encryption_key() == data.encryption_key()
    assert Fernet(data.encryption_key())
    assert len(data.operator()[1]) >= 16


def test_ports_are_remembered_one_by_one(data: DataDirectory) -> None:
    data.remember_ports({"redis": 1, "mongo": 2})
    data.remember_ports({"mongo": 3})
    assert data.ports() == {"redis": 1, "mongo": 3}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as two users")
def test_what_root_has_made_is_not_taken_by_another_user() -> None:
    place = Path(tempfile.mkdtemp(prefix="relay-root-"))
    place.chmod(0o755)
    data = DataDirectory(place / "var")
    data.hold()
    data.release()
    os.seteuid(65534)
    try:
        with pytest.raises(
            StackError, match="belongs to root and you are nobody: start as root, or set RELAY_DATA"
        ):
            data.hold()
    finally:
        os.seteuid(0)
        shutil.rmtree(place)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as two users")
def test_what_another_user_has_made_is_not_taken_by_root(data: DataDirectory) -> None:
    data.release()
    os.chown(data.path / "lock", 65534, 65534)
    with pytest.raises(StackError, match="belongs to nobody and you are root"):
        data.hold()


def test_the_process_id_of_a_supervisor_that_was_killed_does_not_matter(tmp_path: Path) -> None:
    hold = (
        "import sys, time; from pathlib import Path; from relaystack.datadir import DataDirectory;"
        "data = DataDirectory(Path(sys.argv[1])); data.hold(); print('held', flush=True); time.sleep(60)"
    )
    argv = [sys.executable, "-c", hold, str(tmp_path / "var")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(DataInUse, match=f"process {holder.pid}"):
            DataDirectory(tmp_path / "var").hold()
        holder.send_signal(signal.SIGKILL)
    began = time.monotonic()
    data = DataDirectory(tmp_path / "var")
    data.hold()
    data.release()
    assert time.monotonic() - began < 1
