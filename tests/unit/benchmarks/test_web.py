"""The web processes that are measured are those of a deployment, or the measurement ends."""

import sys

import pytest

from benchmarks.target import WrongResult
from benchmarks.web import length_of, serving, web_command
from relayproject.processes import processes
from relaystack.ports import free_port


def test_what_is_measured_is_started_as_in_a_deployment() -> None:
    started = processes({"RELAY_WEB_PORT": "4711"})[0].argv(sys.executable)

    assert "relayproject.asgi:application" in started
    assert web_command(4711) == started
    assert web_command(4711, "django") == [part.replace(":application", ":django") for part in started]


def test_a_process_that_has_ended_is_not_waited_for() -> None:
    ended = [sys.executable, "-c", "raise SystemExit(3)"]
    with pytest.raises(WrongResult, match="ended with 3"), serving(ended, {}, free_port(), ""):
        pass


def test_the_length_of_a_body_is_read_from_the_head() -> None:
    assert length_of(b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\nX-Other: 1\r\n\r\n") == 17
