"""A whole Relay that reports to OpenTelemetry and Sentry: what arrives there, and what must not."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from relaycore.envelope import Encoder, timestamp
from tests.acceptance.collector import Collector, collecting
from tests.acceptance.stack import Stack

Wait = Callable[..., None]

PAYLOAD = "the-payload-of-somebody"
SEARCH = r"GET ^api/v1/messages/?\Z"
HOT = r"GET ^api/v1/messages/(?P<key>[0-9a-fA-F]{24})/?\Z"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
def reporting(room: Path, collector: Collector) -> Iterator[Stack]:
    """Relay, which has stored a message, set two aside, and answered searches and a bad request."""
    stack = Stack(room / "reporting", **collector.environment)
    stack.start()
    stack.listen_to("orders")
    stack.redis.publish("orders", PAYLOAD)
    stack.redis.publish("orders", PAYLOAD * 50_000)
    # Refused, and of a year that Python does not have: the writer logs an error with a traceback.
    late = Encoder(b"orders").encode(b"k" * 12, PAYLOAD.encode(), timestamp(1 << 60))
    stack.redis.xadd("orchestrator_channel:{0}", {"messages": "1", "bson": late, "reason": "too late"})
    yield stack
    stack.stop()


def names(collector: Collector) -> set[str]:
    return {span.name for _, span in collector.spans()}


def runs(collector: Collector) -> list[str]:
    return [span.name for _, span in collector.spans() if span.name.startswith("run/")]


def test_requests_tasks_and_what_they_ask_the_servers_are_spans(
    reporting: Stack, collector: Collector, wait_until: Wait
) -> None:
    wait_until(lambda: reporting.texts("orders") == [PAYLOAD])
    search = "/api/v1/messages?channel=orders&contains="
    assert reporting.http.get(search + PAYLOAD).status_code == 200
    assert reporting.http.get(f"/api/v1/messages/{PAYLOAD}").status_code == 404
    assert reporting.http.get(f"/api/v1/messages/{'0' * 24}").status_code == 404

    tasks = {f"{what}/relayproject.tasks.propose" for what in ("apply_async", "run")}
    requests = {SEARCH, HOT, r"POST ^api/v1/start-listening/?\Z"}
    wait_until(lambda: tasks | requests <= names(collector), 20, "the spans")
    spans = [span for _, span in collector.spans()]
    assert {service for service, _ in collector.spans()} == {"relay"}
    systems = {a.value.string_value for span in spans for a in span.attributes if a.key == "db.system"}
    assert systems == {"postgresql", "redis", "mongodb"}
    by_id = {span.span_id: span for span in spans}
    below = {by_id[span.parent_span_id].name for span in spans if span.parent_span_id in by_id}
    assert {"run/relayproject.tasks.propose", SEARCH, HOT} <= below
    assert any(n.startswith("apply_async/") for n in below), "a task does not know who sent it"


def test_an_endless_task_is_no_span_and_nothing_that_it_asks_is(
    reporting: Stack, collector: Collector, wait_until: Wait
) -> None:
    wait_until(lambda: len(runs(collector)) >= 2)
    assert not {"run/channels_app.tasks.listen", "run/messages_app.tasks.write"} & set(runs(collector))
    spans = [span for _, span in collector.spans()]
    # The writer is the only one who reads the stream and inserts.
    assert not {span.name for span in spans if "XREADGROUP" in span.name or span.name.endswith(".insert")}
    assert not [span for span in spans if span.kind == span.SPAN_KIND_CLIENT and not span.parent_span_id]


def test_what_goes_aside_with_an_error_is_an_event_of_the_writer(
    reporting: Stack, collector: Collector, wait_until: Wait
) -> None:
    wait_until(collector.errors, 20, "an event")
    event = collector.errors()[0]
    assert event["logger"] == "messages_app.writing.quarantine"
    assert event["extra"]["partition"] == 0
    assert event["extra"]["task_id"]
    frames = event["exception"]["values"][0]["stacktrace"]["frames"]
    assert "_open" in [frame["function"] for frame in frames]


def test_no_payload_no_search_no_token_and_no_secret_leaves(
    reporting: Stack, collector: Collector, wait_until: Wait
) -> None:
    secret = (reporting.data / "secret_key").read_text().strip()
    wait_until(collector.errors, 20)
    wait_until(lambda: SEARCH in names(collector), 20)
    everything = b"\n".join(body for _, body in collector.received)
    assert len(everything) > 10_000
    for hidden in (PAYLOAD, reporting.info["token"], secret, "Bearer"):
        assert hidden.encode() not in everything, hidden
