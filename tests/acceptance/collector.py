"""Where OpenTelemetry and Sentry would be: an HTTP server that keeps what it is sent."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector:
    """What was posted, by address."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.received: list[tuple[str, bytes]] = []

    @property
    def environment(self) -> dict[str, str]:
        """What makes a Relay send here, and soon."""
        return {
            "RELAY_OPENTELEMETRY": "true",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.port}",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "SENTRY_DSN": f"http://publickey@127.0.0.1:{self.port}/1",
        }

    def spans(self) -> list[tuple[str, Span]]:
        """The spans, each with the name of its service."""
        found = []
        for path, body in list(self.received):
            if path == "/v1/traces":
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    of = {a.key: a.value.string_value for a in resource.resource.attributes}
                    spans = [span for scope in resource.scope_spans for span in scope.spans]
                    found += [(of["service.name"], span) for span in spans]
        return found

    def errors(self) -> list[dict[str, Any]]:
        """The events for Sentry."""
        items = [b"".join(body.split(b"\n")[2:3]) for path, body in list(self.received) if "envelope" in path]
        return [event for event in map(json.loads, items) if "level" in event]


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            zipped = self.headers.get("Content-Encoding") == "gzip"
            collector.received.append((self.path, gzip.decompress(body) if zipped else body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Not into the output of the tests."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(server.server_port)
        thread = threading.Thread(target=server.serve_forever, name="collector")
        thread.start()
        yield collector
        server.shutdown()
        thread.join()
