"""The API and its description are one: docs/openapi.yaml has not drifted, and no answer contradicts it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from alerts_app.taking.application import PATHS
from channels_app.registration import start
from compat_app.alertmanager import application as alertmanager
from compat_app.log_queue import application as log_queue
from live.socketio import application as socketio

pytestmark = pytest.mark.django_db(transaction=True)

COMMITTED = Path(__file__).parents[3] / "docs/openapi.yaml"


def test_the_committed_schema_is_the_one_of_the_code(tmp_path: Path) -> None:
    made = tmp_path / "openapi.yaml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(made))

    # If it has changed on purpose: manage.py spectacular --file docs/openapi.yaml
    assert made.read_text() == COMMITTED.read_text()


def test_the_schema_and_its_pages_are_for_everybody(client: Any) -> None:
    assert client.get("/api/schema", headers={"accept": "application/json"}).json()["openapi"] == "3.1.1"
    page = client.get("/api/docs")
    assert page.status_code == 200
    assert b"swagger-ui" in page.content
    assert b"http://" not in page.content.replace(b"http://testserver", b"")
    assert b"https://" not in page.content


def test_no_part_of_the_schema_has_a_name_that_is_private(client: Any) -> None:
    parts = client.get("/api/schema", headers={"accept": "application/json"}).json()["components"]["schemas"]

    assert [name for name in parts if name.startswith("_")] == []


def test_no_change_proposes_what_would_be_set(client: Any) -> None:
    """Tools fill in bodies by defaults, and what is said in a PATCH is set."""
    schema = client.get("/api/schema", headers={"accept": "application/json"}).json()
    changes = {path: methods["patch"] for path, methods in schema["paths"].items() if "patch" in methods}
    assert len(changes) >= 3
    for path, operation in changes.items():
        members = operation["requestBody"]["content"]["application/json"]["schema"]["properties"]
        assert [name for name, said in members.items() if "default" in said] == [], path


def test_what_is_answered_before_django_is_in_the_schema_or_named_in_it(client: Any) -> None:
    schema = client.get("/api/schema", headers={"accept": "application/json"}).json()
    assert PATHS & schema["paths"].keys() == {"/api/alerts"}
    for prefix in (alertmanager.PREFIX, log_queue.PREFIX, socketio.PATH):
        assert f"`{prefix}" in schema["info"]["description"]


@pytest.fixture(scope="module")
def web(serve: Callable[..., str]) -> str:
    """A web process that answers as often as it is asked."""
    return serve(RELAY_WEB_REQUESTS_PER_MINUTE="0", RELAY_ALERTS="true")


@pytest.mark.timeout(600)  # Thousands of requests, one after another.
def test_no_request_brings_an_answer_that_the_schema_does_not_have(
    web: str, token: str, archive: Any, relay_keys: Any, tmp_path: Path
) -> None:
    for name in ("orders", "a/b", "ünï"):
        start(name)

    # Not asked: that whatever fits the schema is accepted. A name is counted in bytes, some are
    # reserved, and a cursor must come from a page; none of that can be said in a schema.
    run = subprocess.run(
        [str(Path(sys.executable).with_name("schemathesis")), "run", str(COMMITTED), "--url", web]
        + ["--header", f"Authorization: Bearer {token}", "--checks", "all", "--mode", "all"]
        + ["--exclude-checks", "positive_data_acceptance", "--phases", "examples,coverage,fuzzing"]
        + ["--max-examples", "25", "--seed", "1", "--request-timeout", "40", "--no-color"]
        # fetch waits for 20 s if it is asked to, and confirm=stored for 10 where nobody writes.
        + ["--max-response-time", "30"]
        # A stream has no end.
        + ["--exclude-path-regex", "/live$"]
        + ["--generation-database", "none"],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )

    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
