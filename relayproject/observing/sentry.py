"""Errors to Sentry, if `SENTRY_DSN` is set; without it nothing here is imported.

What leaves is an allow-list: the type of an error, where in which code it happened, the route, and what
Relay's own loggers said, which never name a message. Of everything else nobody can say that it carries no
message: an error's text may quote the document that MongoDB refused, a local variable is one, and what
somebody searches for stands in the query of an address. So texts of foreign errors, local variables,
bodies, headers, queries, users and breadcrumbs stay here.
"""

from collections.abc import Callable
from typing import Any, Final

import sentry_sdk
from sentry_sdk.integrations.argv import ArgvIntegration
from sentry_sdk.integrations.celery import CeleryIntegration
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.integrations.stdlib import StdlibIntegration
from sentry_sdk.types import Event, Hint
from sentry_sdk.utils import BadDsn

from relaybase.env import WrongSetting
from relaybase.logs import FIELDS

OURS: Final = (
    *("relayproject", "relaybase", "relaycore", "relaystack"),
    *("leases_app", "access_app", "channels_app", "messages_app"),
    *("events_app", "subscribers_app", "webhooks_app", "alerts_app", "live", "compat_app"),
)
"""Whose loggers never name a message: a new package is one more."""

_WHAT: Final = ("event_id", "timestamp", "level", "platform", "logger", "transaction")
_WHERE: Final = ("release", "environment", "server_name", "sdk", "modules")
_REQUEST: Final = ("method", "url")
_ERROR: Final = ("type", "module", "mechanism", "thread_id")
_FRAME: Final = ("filename", "abs_path", "function", "module", "lineno", "in_app")
_TRACE: Final = ("trace_id", "span_id", "parent_span_id", "op")
_CODE: Final = ("context_line", "pre_context", "post_context")

_OFF: Final[Any] = {"mode": "off"}
_NOTHING: Final[Any] = {
    "user_info": False,
    "cookies": _OFF,
    "http_headers": {"request": _OFF},
    "http_bodies": [],
    "url_query_params": _OFF,
    "database_query_data": False,
    "queues": False,
    "stack_frame_variables": False,
}
"""What integrations may collect by themselves. `clean` holds even if a later one collects more."""


def begin(dsn: str, transport: Callable[..., Any] | None = None) -> None:
    """Send errors of web requests, tasks and log lines to `dsn`.

    SENTRY_ENVIRONMENT and SENTRY_RELEASE say what the SDK says they do.

    Raises:
        WrongSetting: `dsn` is not an address of Sentry.
    """
    try:
        sentry_sdk.init(
            dsn=dsn,
            transport=transport,
            before_send=clean,
            integrations=[DjangoIntegration(), CeleryIntegration()],
            auto_enabling_integrations=False,
            disabled_integrations=[ArgvIntegration, StdlibIntegration],
            data_collection=_NOTHING,
            max_breadcrumbs=0,
            auto_session_tracking=False,
            enable_metrics=False,
        )
    except BadDsn:  # Its text has the key in it.
        raise WrongSetting("SENTRY_DSN must be a DSN: https://KEY@HOST/PROJECT.") from None


def clean(event: Event, hint: Hint) -> Event:
    """What may leave of an event."""
    full: dict[str, Any] = dict(event)
    kept = _only(full, *_WHAT, *_WHERE)
    # Without arguments a line of somebody else's logger is a text in its program.
    if line := full.get("logentry"):
        ours = str(full.get("logger")).startswith(OURS)
        kept["logentry"] = _only(line, "message", "formatted", "params") if ours else _only(line, "message")
    if request := full.get("request"):
        kept["request"] = _only(request, *_REQUEST)
    known = _only(full.get("extra") or {}, "request_id", "task_id", *FIELDS)
    kept["extra"] = {name: value for name, value in known.items() if value not in {None, ""}}
    contexts = full.get("contexts") or {}
    kept["contexts"] = {"trace": _only(contexts.get("trace") or {}, *_TRACE)} | _only(contexts, "runtime")
    if errors := full.get("exception"):
        kept["exception"] = {"values": [_clean_error(error) for error in errors.get("values") or ()]}
    return kept  # type: ignore[return-value]


def _clean_error(error: dict[str, Any]) -> dict[str, Any]:
    kept = _only(error, *_ERROR)
    if error.get("module") == "relaycore.errors":  # Our own sentences name channels, never messages.
        kept |= _only(error, "value")
    if trace := error.get("stacktrace"):
        kept["stacktrace"] = {"frames": [_only(frame, *_FRAME, *_CODE) for frame in trace.get("frames", ())]}
    return kept


def _only(mapping: Any, *names: str) -> dict[str, Any]:
    return {name: mapping[name] for name in names if name in mapping}
