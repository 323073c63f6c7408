"""docker-compose.yml starts the processes that relayproject.processes names, with their arguments."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from relayproject.processes import Process, processes
from tests.floors.imports import files

ROOT = Path(__file__).parents[2]
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


DEFAULTS = {"RELAY_PARTITIONS": "1", "RELAY_LISTENER_SLOTS": "2", "RELAY_SENDER_SHARDS": "1"}
DEFAULTS["RELAY_PROCESSOR_SHARDS"] = "1"
"""The settings on which commands depend, each with its default: one more is one more line."""

ODD = {name: str(71 + number) for number, name in enumerate(DEFAULTS)}
"""Values by which each of them is known again in a command."""


def expected(process: Process) -> list[str]:
    replaced = {ODD[name]: f"${{{name}:-{default}}}" for name, default in DEFAULTS.items()}
    replaced |= {"127.0.0.1": "0.0.0.0"}
    return [replaced.get(argument, argument) for argument in process.argv("python")]


@pytest.mark.parametrize("process", processes(ODD), ids=lambda process: process.name)
def test_a_service_runs_each_process(process: Process) -> None:
    assert SERVICES[process.name]["command"] == expected(process)


def test_the_defaults_are_those_of_the_processes() -> None:
    assert processes(DEFAULTS) == processes({})


def test_the_image_has_every_package_that_a_process_imports() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = {source for line in lines if line.startswith("COPY") for source in line.split()[1:-1]}
    assert {name.partition(".")[0] for name in files()} - copied == {"relaystack"}


def test_redis_is_set_up_so_that_it_keeps_the_stream() -> None:
    command = " ".join(SERVICES["redis"]["command"])
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command
    assert "pubsub 256mb" in command


def test_whatever_the_image_copies_is_sent_to_the_build() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = {source for line in lines if line.startswith("COPY") for source in line.split()[1:-1]}
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied == sent
    assert all((ROOT / source).exists() for source in copied)


def test_every_server_has_a_password_and_redis_a_bound() -> None:
    environment = SERVICES["web"]["environment"]
    assert ":${POSTGRES_PASSWORD" in environment["DATABASE_URL"]
    assert ":${REDIS_PASSWORD" in environment["REDIS_URL"]
    assert ":${MONGO_PASSWORD" in environment["MONGO_URL"]
    assert "--requirepass ${REDIS_PASSWORD} --maxmemory ${REDIS_MAXMEMORY:-1gb}" in " ".join(
        SERVICES["redis"]["command"]
    )
    assert "--keyFile" in SERVICES["mongo"]["command"]
    assert SERVICES["mongo"]["environment"]["MONGO_INITDB_ROOT_PASSWORD"] == "${MONGO_PASSWORD}"
    assert SERVICES["postgres"]["environment"]["POSTGRES_PASSWORD"] == "${POSTGRES_PASSWORD}"


def test_a_worker_that_does_not_answer_is_started_again() -> None:
    workers = {name: service for name, service in SERVICES.items() if "celery" in service.get("command", [])}
    assert workers.keys() == {
        *("listeners", "listeners-b", "writers", "writers-b", "senders", "processors", "default", "beat")
    }
    for name, service in workers.items():
        if name != "beat":
            assert service["healthcheck"]["test"] == ["CMD", "deploy/healthy.sh", name.removesuffix("-b")]
            assert service["init"] is True
        assert service["restart"] == "unless-stopped"


SILENT = "Error: No nodes replied within time constraint"
REFUSED = (
    "Error: Unable to run the `inspect ping` command. "
    "Reason: OOM command not allowed when used memory > 'maxmemory'."
)


def _celery(room: Path, fault: str) -> None:
    """A program of that name, which says what Celery says: nothing is wrong, or this."""
    said = f'echo "{fault}" >&2\nexit 69' if fault else 'echo "1 node online."'
    (room / "celery").write_text(f"#!/bin/sh\n{said}\n".replace("`", "\\`"))
    (room / "celery").chmod(0o755)


def _healthy(room: Path, fault: str = "", *, first: str = "docker-init") -> tuple[int, list[str]]:
    """The exit code of the script in a container that is made of files, and what it would have ended."""
    for number, parent in (("1", 0), ("7", 1), ("8", 7)):
        (room / number).mkdir(exist_ok=True)
        (room / number / "stat").write_text(f"{number} (celery) S {parent} 7 7")
    (room / "1/cmdline").write_text(f"/sbin/{first}\\0--")
    _celery(room, fault)
    script = (ROOT / "deploy/healthy.sh").read_text()
    made = {"/proc/": f"{room}/", "/tmp/": f"{room}/", "kill -": "echo kill -", "sleep 12": "echo sleep"}
    # In one go: the room itself may lie in /tmp.
    real = "|".join(made)
    assert set(re.findall(real, script)) == set(made)
    script = re.sub(real, lambda found: made[found[0]], script)
    path = f"{room}:{os.environ['PATH']}"
    environment = {"PATH": path, "HOSTNAME": "host"}
    done = subprocess.run(
        ["sh", "-c", script, "healthy.sh", "listeners"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr
    return done.returncode, done.stdout.split("\n")[:-1]


def test_three_times_without_an_answer_end_a_worker(tmp_path: Path) -> None:
    assert _healthy(tmp_path) == (0, [])
    assert _healthy(tmp_path, SILENT) == (1, [])
    assert _healthy(tmp_path) == (0, [])
    assert [_healthy(tmp_path, SILENT) for _ in range(2)] == [(1, []), (1, [])]
    assert _healthy(tmp_path, SILENT) == (1, ["kill -TERM 7", "sleep", "kill -KILL 7"])
    assert _healthy(tmp_path, SILENT) == (1, [])


def test_a_broker_that_refuses_ends_no_worker(tmp_path: Path) -> None:
    assert [_healthy(tmp_path, REFUSED) for _ in range(5)] == [(1, [])] * 5
    # Nor is it one of three in a row.
    assert [_healthy(tmp_path, SILENT) for _ in range(2)] == [(1, [])] * 2
    assert _healthy(tmp_path, REFUSED) == (1, [])
    assert [_healthy(tmp_path, SILENT) for _ in range(2)] == [(1, [])] * 2


def test_outside_of_a_container_nothing_is_ended(tmp_path: Path) -> None:
    for _ in range(5):
        assert _healthy(tmp_path, SILENT, first="systemd") == (1, [])


@pytest.mark.parametrize("name", ["listeners", "writers", "senders", "default"])
def test_kubernetes_ends_a_worker_for_its_silence_alone(name: str, tmp_path: Path) -> None:
    (probe,) = [
        found["spec"]["template"]["spec"]["containers"][0]["livenessProbe"]
        for path in (ROOT / "deploy/kubernetes").glob("*.yaml")
        for found in yaml.safe_load_all(path.read_text())
        if (found["kind"], found["metadata"]["name"]) == ("Deployment", name)
    ]
    *shell, script = probe["exec"]["command"]
    (seconds,) = re.findall(r"timeout (\d+) ", script)
    assert int(seconds) < probe["timeoutSeconds"]
    assert f"{name}@$HOSTNAME" in script

    def ends() -> bool:
        path = f"{tmp_path}:{os.environ['PATH']}"
        quick = script.replace(f"timeout {seconds} ", "timeout 0.5 ")
        done = subprocess.run([*shell, quick], env={"PATH": path, "HOSTNAME": "host"}, check=False)
        return done.returncode != 0

    for fault, is_end in (("", False), (SILENT, True), (REFUSED, False)):
        _celery(tmp_path, fault)
        assert ends() is is_end
    # The broker hangs.
    (tmp_path / "celery").write_text("#!/bin/sh\nexec sleep 60\n")
    assert not ends()
