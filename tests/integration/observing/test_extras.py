"""OpenTelemetry and Sentry are there only for those who ask for them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
EXTRAS = "{'opentelemetry', 'sentry_sdk'}"
# redis-py imports API and SDK of OpenTelemetry wherever that is installed.
LOADED = "{'opentelemetry.instrumentation', 'relayproject.observing.traces', 'sentry_sdk'} & set(sys.modules)"
START = "import django; django.setup(); import relayproject.asgi, relayproject.celery"
MISSING = f"""
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {EXTRAS}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
"""


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_nothing_of_them_is_imported_unless_a_setting_says_so() -> None:
    code = f"{START}, sys; print(len({LOADED}))"
    assert python(code).stdout.strip() == "0"
    with_both = python(code, RELAY_OPENTELEMETRY="true", SENTRY_DSN="https://key@sentry.invalid/1")
    assert with_both.stdout.strip() == "3", with_both.stderr


def test_without_the_setting_nobody_misses_the_package() -> None:
    assert python(MISSING + START).returncode == 0


@pytest.mark.parametrize(
    ("name", "value", "file"),
    [
        ("RELAY_OPENTELEMETRY", "true", "requirements-otel.txt"),
        ("SENTRY_DSN", "https://key@sentry.invalid/1", "requirements-sentry.txt"),
    ],
)
def test_without_the_package_the_start_ends_and_names_the_file(name: str, value: str, file: str) -> None:
    run = python(MISSING + START, **{name: value})
    assert run.returncode != 0
    said = run.stderr.strip().splitlines()[-1]
    assert name in said
    assert f"pip install -r {file}" in said
    assert (ROOT / file).exists()


def test_the_dsn_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "dsn").write_text("https://fromfile@sentry.invalid/1\n")
    code = START + "; import sentry_sdk; print(sentry_sdk.get_client().dsn)"
    assert "fromfile" in python(code, SENTRY_DSN_FILE=str(tmp_path / "dsn")).stdout


def test_a_protocol_that_is_not_installed_is_refused() -> None:
    run = python(START, RELAY_OPENTELEMETRY="true", OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
    assert "OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf, not 'grpc'." in run.stderr
