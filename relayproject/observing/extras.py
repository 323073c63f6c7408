"""What is installed only where it is wanted: imported if a setting asks for it, and else not at all."""

import importlib
from types import ModuleType
from typing import Any

from django.conf import settings

from relaybase.env import WrongSetting


def begin_sentry() -> None:
    """Send errors to Sentry from now on, if SENTRY_DSN is set. Before a worker forks is fine."""
    if settings.SENTRY_DSN:
        _load("sentry", "SENTRY_DSN").begin(settings.SENTRY_DSN)


def load_traces() -> ModuleType | None:
    """`relayproject.observing.traces`, if RELAY_OPENTELEMETRY is set."""
    return _load("traces", "RELAY_OPENTELEMETRY") if settings.RELAY_OPENTELEMETRY else None


def begin_traces() -> Any:
    """Trace this process, if RELAY_OPENTELEMETRY is set. Not before a fork.

    What makes spans of the requests that Django does not see; None if nothing is traced.
    """
    traces = load_traces()
    return traces and traces.before_django(traces.begin())


_REQUIREMENTS = {"sentry": "requirements-sentry.txt", "traces": "requirements-otel.txt"}


def _load(module: str, setting: str) -> ModuleType:
    try:
        return importlib.import_module(f"{__package__}.{module}")
    except ModuleNotFoundError as exc:
        raise WrongSetting(
            f"{setting} is set, and the package {exc.name} is not installed: "
            f"pip install -r {_REQUIREMENTS[module]}"
        ) from exc
