"""What of a span is sent, and which spans there are. A whole Relay that sends some: tests/acceptance."""

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import SpanKind, StatusCode, Tracer

from alerts_app.tasks import process
from channels_app.tasks import listen
from messages_app.tasks import write
from relayproject.observing.traces import ENDLESS, Clean, RequestsAndTasks, before_django
from webhooks_app.tasks import send

PAYLOAD = "the-payload-of-somebody"


@pytest.fixture
def sent() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(sent: InMemorySpanExporter) -> Iterator[Tracer]:
    provider = TracerProvider(sampler=RequestsAndTasks(ALWAYS_ON))
    provider.add_span_processor(SimpleSpanProcessor(Clean(sent)))
    yield provider.get_tracer("tests")
    provider.shutdown()


def names(sent: InMemorySpanExporter) -> list[str]:
    return [span.name for span in sent.get_finished_spans()]


def test_of_an_error_its_type_is_sent_and_not_its_text(tracer: Tracer, sent: InMemorySpanExporter) -> None:
    attributes = {"http.route": "api/v1/messages", "url.query": f"contains={PAYLOAD}", "db.system": "redis"}
    with pytest.raises(ValueError, match=PAYLOAD):
        with tracer.start_as_current_span("request", kind=SpanKind.SERVER, attributes=attributes):
            raise ValueError(f"cannot read {PAYLOAD}")

    span: ReadableSpan = sent.get_finished_spans()[0]
    assert span.attributes == {"http.route": "api/v1/messages", "db.system": "redis"}
    assert span.status.status_code is StatusCode.ERROR
    assert [event.attributes for event in span.events] == [{"exception.type": "ValueError"}]
    assert PAYLOAD not in span.to_json()


def test_the_endless_tasks_are_those_that_listen_write_send_and_process() -> None:
    assert set(ENDLESS) == {listen.name, write.name, send.name, process.name}


@pytest.mark.parametrize("task", ENDLESS)
def test_below_an_endless_task_nothing_is_sent(tracer: Tracer, sent: InMemorySpanExporter, task: str) -> None:
    with tracer.start_as_current_span(f"run/{task}", kind=SpanKind.CONSUMER):
        with tracer.start_as_current_span("XADD", kind=SpanKind.CLIENT):
            with tracer.start_as_current_span("apply_async/something", kind=SpanKind.PRODUCER):
                pass
    assert names(sent) == []


def test_what_a_thread_asks_by_itself_is_not_sent_and_what_a_request_asks_is(
    tracer: Tracer, sent: InMemorySpanExporter
) -> None:
    with tracer.start_as_current_span("SELECT", kind=SpanKind.CLIENT):
        pass
    with tracer.start_as_current_span("request", kind=SpanKind.SERVER):
        with tracer.start_as_current_span("GET", kind=SpanKind.CLIENT):
            pass
    assert names(sent) == ["GET", "request"]


def test_a_request_that_django_does_not_see_is_a_span_below_the_one_that_sent_it(
    sent: InMemorySpanExporter,
) -> None:
    provider = TracerProvider(sampler=RequestsAndTasks(ALWAYS_ON))
    provider.add_span_processor(SimpleSpanProcessor(Clean(sent)))
    route, sender = r"^api/v1/messages/?\Z", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with before_django(provider)("GET", route, {b"traceparent": sender.encode()}) as answered:
        answered(503)
    provider.shutdown()

    (span,) = sent.get_finished_spans()
    assert (span.name, span.kind) == (f"GET {route}", SpanKind.SERVER)
    assert span.attributes == {"http.method": "GET", "http.route": route, "http.status_code": 503}
    assert span.status.status_code is StatusCode.ERROR
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" in sender
