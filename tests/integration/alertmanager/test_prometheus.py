"""Debian's Prometheus, which nobody here wrote, with rules that fire."""

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from access_app import tokens
from relaycore.rights import Grant, Grants
from tests.integration.alertmanager.conftest import Told

pytestmark = pytest.mark.django_db(transaction=True)

Wait = Callable[..., None]

_CONFIGURATION = """
global: {{evaluation_interval: 1s, external_labels: {{cluster: test}}}}
rule_files: [rules.yml]
alerting:
  alertmanagers:
  - path_prefix: /alertmanager
    basic_auth: {{username: prometheus, password: {key}}}
    static_configs: [{{targets: ["{target}"]}}]
"""
_RULES = """
groups:
- name: test
  rules:
  - alert: Stays
    expr: vector(time())
    labels: {{severity: critical}}
    annotations: {{summary: "it is {{{{ $value }}}}"}}
  - alert: Passes
    expr: vector(time()) < {until}
"""


@pytest.fixture
def prometheus(
    serve: Callable[..., str], operator: Any, relay_keys: Any, tmp_path: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """It knows a token as the password of Basic, and repeats itself each second."""
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed: apt-get install prometheus")
    url = serve(RELAY_ALERTMANAGER="token", RELAY_ALERTMANAGER_GRACE_SECONDS="0")
    _, key = tokens.make("prometheus", operator, Grants((Grant("publish", ("relay/alertmanager",)),)))
    (tmp_path / "prometheus.yml").write_text(_CONFIGURATION.format(key=key, target=urlsplit(url).netloc))
    (tmp_path / "rules.yml").write_text(_RULES.format(until=int(time.time()) + 12))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            *(
                "prometheus",
                f"--config.file={tmp_path}/prometheus.yml",
                f"--storage.tsdb.path={tmp_path}/data",
            ),
            *(f"--web.listen-address=127.0.0.1:{port}", "--rules.alert.resend-delay=1s"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield process
    if process.poll() is None:
        process.kill()
        process.wait()


def test_what_fires_begins_once_and_ends_once(
    prometheus: "subprocess.Popen[bytes]", told: Told, wait_until: Wait
) -> None:
    def said(status: str, name: str) -> list[dict[str, Any]]:
        return [one for one in told() if (one["status"], one["labels"]["alertname"]) == (status, name)]

    wait_until(lambda: said("firing", "Stays") and said("firing", "Passes"), 60)
    (stays,) = said("firing", "Stays")
    assert stays["labels"] == {"alertname": "Stays", "severity": "critical", "cluster": "test"}
    assert stays["annotations"]["summary"].startswith("it is ")
    assert stays["generatorURL"].startswith("http://")
    # Its end is sent, and repeated.
    wait_until(lambda: said("resolved", "Passes"), 60)
    time.sleep(3)
    assert len(told()) == 3
    # Nobody says that this one has ended: it is not repeated any more.
    prometheus.kill()
    prometheus.wait()
    wait_until(lambda: said("resolved", "Stays"), 60)
    assert len(told()) == 4
