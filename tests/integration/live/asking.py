"""Requests whose answers have no end."""

import http.client
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit


@contextmanager
def asked(
    web: str, path: str, headers: Mapping[str, str] | None = None, method: str = "GET"
) -> Iterator[http.client.HTTPResponse]:
    """The answer to a request, with its body still to come."""
    connection = http.client.HTTPConnection(urlsplit(web).netloc, timeout=30)
    try:
        connection.request(method, f"/api/v1/{path}", headers=dict(headers or {}))
        with connection.getresponse() as answer:
            yield answer
    finally:
        connection.close()


def status_of(web: str, path: str, headers: Mapping[str, str] | None = None) -> int:
    """What is answered."""
    with asked(web, path, headers) as answer:
        return answer.status


def payloads(answer: http.client.HTTPResponse) -> Iterator[str]:
    """The `data` of what has any."""
    for line in answer:
        if line.startswith(b"data: "):
            yield line.decode().removeprefix("data: ").rstrip()
