"""Spans by OpenTelemetry, if RELAY_OPENTELEMETRY is true; without it nothing here is imported.

A trace is a request or a short task, with what it asked PostgreSQL, Redis and MongoDB. The endless tasks
are none: a span that does not end is never sent, and everything they do would hang from it. So nothing
they ask is a span either; how fast they are says `/metrics`. The listener's own connections to Redis
(`relaybase.redis.wire`) are not instrumented at all.

What leaves is an allow-list, since attributes, and most of all the texts of errors, may quote a message.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import ImproperlyConfigured
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation import asgi  # noqa: F401 -- else requests by ASGI are no spans
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.psycopg2 import Psycopg2Instrumentor
from opentelemetry.instrumentation.pymongo import PymongoInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.util.types import Attributes

from relayproject import processes

if TYPE_CHECKING:  # It needs the apps, and this is loaded before them.
    from relaybase.http.hot import Trace

ENDLESS: Final = tuple(one.task for one in processes.ENDLESS)
_PROBES: Final = "healthz,readyz,metrics"

_HTTP: Final = "http.method http.request.method http.status_code http.response.status_code http.route"
_KEPT: Final = frozenset((_HTTP + " http.scheme url.scheme network.protocol.version error.type").split())
_GROUPS: Final = ("celery.", "messaging.", "db.", "net.peer.", "server.")


def begin(exporter: SpanExporter | None = None) -> TracerProvider:
    """Trace this process. Not before a fork: the thread that sends would stay in the parent.

    The standard variables OTEL_* say where to, how much of it and under which name.

    Raises:
        ImproperlyConfigured: OTEL_EXPORTER_OTLP_PROTOCOL asks for what is not installed.
    """
    provider = TracerProvider(resource=_resource())
    provider.sampler = RequestsAndTasks(provider.sampler)
    provider.add_span_processor(BatchSpanProcessor(Clean(exporter or _exporter())))
    excluded = os.environ.get("OTEL_PYTHON_DJANGO_EXCLUDED_URLS", _PROBES)
    DjangoInstrumentor().instrument(tracer_provider=provider, excluded_urls=excluded)
    # psycopg2-binary is what it looks for under another name.
    Psycopg2Instrumentor().instrument(tracer_provider=provider, skip_dep_check=True)
    for instrumentor in (CeleryInstrumentor(), RedisInstrumentor(), PymongoInstrumentor()):  # type: ignore[no-untyped-call]
        instrumentor.instrument(tracer_provider=provider)
    return provider


def before_django(provider: TracerProvider) -> "Trace":
    """What makes a span of each request to a hot endpoint, as Django's instrumentation does of the others."""
    tracer = provider.get_tracer(__name__)

    @contextmanager
    def span(method: str, route: str, headers: Mapping[bytes, bytes]) -> Iterator[Callable[[int], None]]:
        sent = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()}
        with tracer.start_as_current_span(
            f"{method} {route}", propagate.extract(sent), kind=SpanKind.SERVER
        ) as found:
            found.set_attributes({"http.method": method, "http.route": route})

            def answered(status: int) -> None:
                found.set_attribute("http.status_code", status)
                if status >= 500:
                    found.set_status(Status(StatusCode.ERROR))

            yield answered

    return span


class RequestsAndTasks(Sampler):
    """What OTEL_TRACES_SAMPLER takes, but nothing of the endless tasks and their threads."""

    def __init__(self, inner: Sampler) -> None:
        self._inner = inner

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        *rest: Any,
    ) -> SamplingResult:
        """Decide when a span begins."""
        parent = trace.get_current_span(parent_context).get_span_context()
        is_loose = kind is SpanKind.CLIENT and not parent.is_valid
        is_below = parent.is_valid and not parent.is_remote and not parent.trace_flags.sampled
        if is_loose or is_below or name.removeprefix("run/") in ENDLESS:
            return SamplingResult(Decision.DROP)
        return self._inner.should_sample(parent_context, trace_id, name, kind, *rest)

    def get_description(self) -> str:
        """For those who debug OpenTelemetry."""
        return f"{type(self).__name__}({self._inner.get_description()})"


class Clean(SpanExporter):
    """Sends spans on without what may carry a message."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._inner.export([_clean(span) for span in spans])

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._inner.force_flush(timeout_millis)


def _clean(span: ReadableSpan) -> ReadableSpan:
    return ReadableSpan(
        name=span.name,
        context=span.get_span_context(),
        parent=span.parent,
        resource=span.resource,
        attributes=_only(span.attributes),
        # An exception's type says what went wrong; its text may quote a message.
        events=[Event(e.name, _only(e.attributes, "exception.type"), e.timestamp) for e in span.events],
        links=span.links,
        kind=span.kind,
        instrumentation_scope=span.instrumentation_scope,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
    )


def _only(attributes: Attributes, *more: str) -> Attributes:
    kept = {*_KEPT, *more}
    return {k: v for k, v in (attributes or {}).items() if k in kept or k.startswith(_GROUPS)}


def _resource() -> Resource:
    resource = Resource.create()
    if str(resource.attributes["service.name"]).startswith("unknown_service"):
        return resource.merge(Resource({"service.name": "relay"}))
    return resource


def _exporter() -> OTLPSpanExporter:
    for name in ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        if (protocol := os.environ.get(name, "http/protobuf")) != "http/protobuf":
            raise ImproperlyConfigured(f"{name} must be http/protobuf, not {protocol!r}.")
    return OTLPSpanExporter()
