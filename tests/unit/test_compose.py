"""docker-compose.yml starts the processes that relayproject.processes names, with their arguments."""

from pathlib import Path

import pytest
import yaml

from relayproject.processes import Process, processes
from tests.floors.imports import files

ROOT = Path(__file__).parents[2]
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


DEFAULTS = {"RELAY_PARTITIONS": "1", "RELAY_LISTENER_SLOTS": "2"}
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
