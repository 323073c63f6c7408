"""The settings of a deployment: behind TLS, for strangers, with logs that are collected."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from relaybase.logs import AsJSON, WithContext
from relayproject.checks import check_settings

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).parents[2]
DEPLOYED = {
    "RELAY_WEB_HTTPS": "true",
    "RELAY_SECRET_KEY": "k3J-" * 16 + "abcdefghij",
    "RELAY_LOG_FORMAT": "json",
}


def _manage(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_check_deploy_finds_nothing() -> None:
    run = _manage("check", "--deploy", "--fail-level", "WARNING", **DEPLOYED)

    assert run.returncode == 0, run.stderr
    assert "no issues" in run.stdout


def test_check_deploy_finds_what_is_left_open() -> None:
    run = _manage("check", "--deploy", "--fail-level", "WARNING", RELAY_SECRET_KEY="short")

    assert run.returncode != 0
    assert "security.W009" in run.stderr


@pytest.fixture(scope="module")
def web(serve: Callable[..., str]) -> str:
    """A web process as it is deployed."""
    return serve(**DEPLOYED)


def test_what_is_proven_too_seldom_is_an_error(settings: Any) -> None:
    assert check_settings() == []
    settings.RELAY_LISTENER_TICK_SECONDS = 0.25
    assert [found.id for found in check_settings()] == ["relay.E003"]
    settings.RELAY_LISTENER_TICK_SECONDS, settings.RELAY_LEASE_HEARTBEAT_SECONDS = 0.1, 1.6
    settings.RELAY_LEASE_TTL_SECONDS = 6
    assert [found.id for found in check_settings()] == ["relay.E003"]


def test_plain_http_is_sent_to_https_but_for_probes(web: str) -> None:
    answer = httpx2.get(f"{web}/api/v1")
    assert (answer.status_code, answer.headers["location"][:6]) == (301, "https:")
    assert httpx2.get(f"{web}/healthz").status_code == 200
    assert httpx2.get(f"{web}/metrics").status_code == 401


def test_behind_the_proxy_browsers_are_told_to_stay_with_https(web: str) -> None:
    answer = httpx2.get(f"{web}/admin/login/", headers={"X-Forwarded-Proto": "https"})

    assert answer.status_code == 200
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize("page", ["/admin/login/", "/api/docs", "/api/v1/channels"])
def test_no_page_needs_a_script_in_it(browser: Any, page: str) -> None:
    answer = browser.get(page)

    policy = answer["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "script-src" not in policy
    for tag in answer.content.decode().split("<script")[1:]:
        head, _, rest = tag.partition(">")
        is_data = 'type="application/json"' in head
        assert is_data or not rest.partition("</script>")[0].strip(), page


def test_a_request_has_an_id_that_a_proxy_may_give(client: Any) -> None:
    assert client.get("/healthz", headers={"x-request-id": "from-proxy-7"})["X-Request-ID"] == "from-proxy-7"
    assert len(client.get("/healthz")["X-Request-ID"]) == 32
    assert client.get("/healthz", headers={"x-request-id": "x" * 65})["X-Request-ID"] != "x" * 65
    assert "evil" not in client.get("/healthz", headers={"x-request-id": 'a" evil'})["X-Request-ID"]


def test_a_line_of_json_says_what_is_known() -> None:
    record = logging.makeLogRecord(
        {"name": "x", "levelname": "INFO", "msg": "%s\nlines", "args": ("two",), "partition": 3}
    )
    WithContext().filter(record)

    line = AsJSON().format(record)
    assert "\n" not in line
    assert {"level": "INFO", "logger": "x", "text": "two\nlines", "partition": 3}.items() <= json.loads(
        line
    ).items()


def test_a_log_format_that_is_unknown_is_refused() -> None:
    run = _manage("check", RELAY_LOG_FORMAT="xml")

    assert run.returncode != 0
    assert "must be line or json" in run.stderr


@pytest.mark.parametrize(
    "program",
    [
        ("manage.py", "check"),
        ("manage.py", "help"),
        ("-m", "celery", "-A", "relayproject", "worker"),
        ("-m", "celery", "-A", "relayproject", "beat", "--pidfile="),
        ("-m", "uvicorn", "relayproject.asgi:application"),
    ],
    ids=lambda words: " ".join(words[:2] + words[-1:]),
)
def test_without_settings_each_program_says_one_sentence(program: tuple[str, ...], tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, *program],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "RELAY_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 1
    assert run.stderr.startswith("DATABASE_URL and REDIS_URL and MONGO_URL must be set.")
    assert (run.stderr.count("\n"), run.stdout) == (1, "")
