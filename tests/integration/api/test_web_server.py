"""What a real web server does around Django: bodies without an end, files, warnings."""

import contextlib
import http.client
import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from relaybase.http.bodies import MAX_BODY_BYTES, TOO_LARGE

pytestmark = pytest.mark.django_db(transaction=True)

START = "/api/v1/start-listening"


@pytest.fixture(scope="module")
def web(serve: Callable[..., str]) -> str:
    """A web process which takes any warning for an error."""
    return serve(PYTHONWARNINGS="error")


def _ask(url: str, method: str, path: str, body: object = None, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    # A server may answer before it has all of it.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.request(method, path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


def test_a_body_that_is_announced_as_too_large_is_refused_before_it_is_sent(web: str) -> None:
    status, content = _ask(web, "POST", START, **{"Content-Length": str(10 << 30)})

    assert status == 413
    assert TOO_LARGE.encode() in content


def test_a_body_without_an_end_is_refused_once_too_much_has_come(web: str, token: str) -> None:
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        for _ in itertools.count():
            sent += 1 << 16
            yield b"x" * (1 << 16)

    connection = http.client.HTTPConnection(urlsplit(web).netloc, timeout=10)
    headers = {"Authorization": f"Bearer {token}"}
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        connection.request("POST", START, chunks(), headers, encode_chunked=True)
    connection.close()

    assert sent < 64 * MAX_BODY_BYTES


def test_a_chunked_body_that_is_too_large_is_answered(web: str, token: str) -> None:
    chunks = itertools.repeat(b"x" * (1 << 16), MAX_BODY_BYTES // (1 << 16) + 1)

    assert _ask(web, "POST", START, chunks, Authorization=f"Bearer {token}")[0] == 413


def test_a_chunked_body_of_the_largest_size_is_read(web: str, token: str) -> None:
    start = b'{"channel": "orders"}'
    spaces = itertools.repeat(b" ", MAX_BODY_BYTES - len(start))
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    status, content = _ask(web, "POST", START, [start, b"".join(spaces)], **headers)

    assert (status, b'"orders"' in content) == (201, True)


def test_static_files_are_served_without_a_warning(web: str) -> None:
    path = "/static/admin/css/base.css"

    status, content = _ask(web, "GET", path)
    assert (status, b"color" in content) == (200, True)
    assert _ask(web, "GET", path, Range="bytes=0-9") == (206, content[:10])
    assert _ask(web, "HEAD", path) == (200, b"")


def test_what_a_web_process_has_loaded_is_not_searched_for_circles() -> None:
    code = "import relayproject.asgi, gc; print(len(gc.get_objects()), gc.get_freeze_count())"

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    searched, spared = map(int, said.stdout.split())
    assert searched < 5000 < 50_000 < spared
