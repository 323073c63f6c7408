"""docker-compose.yml starts the processes that relayproject.processes names, with their arguments."""

from pathlib import Path

import pytest
import yaml

from relayproject.processes import Process, processes

SERVICES = yaml.safe_load((Path(__file__).parents[2] / "docker-compose.yml").read_text())["services"]


def expected(process: Process) -> list[str]:
    replaced = {"127.0.0.1": "0.0.0.0", "1": "${RELAY_PARTITIONS:-1}", "2": "${RELAY_LISTENER_SLOTS:-2}"}
    return [replaced.get(argument, argument) for argument in process.argv("python")]


@pytest.mark.parametrize("process", processes({}), ids=lambda process: process.name)
def test_a_service_runs_each_process(process: Process) -> None:
    assert SERVICES[process.name]["command"] == expected(process)


def test_redis_is_set_up_so_that_it_keeps_the_stream() -> None:
    command = " ".join(SERVICES["redis"]["command"])
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command
    assert "pubsub 256mb" in command
