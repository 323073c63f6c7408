"""The receivers in docs/webhooks.md, as they stand there: they take what Relay signs, and nothing else."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest

from relaycore.sending.formats.choosing import batch, item, single
from relaycore.sending.formats.format import Encoded, Format
from relaycore.sending.signing import SharedSecret, Signer
from tests.unit.relaycore.sending.stored import document

PAGE = (Path(__file__).parents[3] / "docs" / "webhooks.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

Post = Callable[[dict[str, str], bytes], int]


def run(block: str) -> dict[str, Any]:
    scope: dict[str, Any] = {"__name__": "receiver"}
    exec(compile(block, "webhooks.md", "exec"), scope)
    return scope


@pytest.fixture
def stdlib(monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    served: list[ThreadingHTTPServer] = []

    def keep(server: ThreadingHTTPServer) -> None:
        served.append(server)

    monkeypatch.setattr(ThreadingHTTPServer, "serve_forever", keep)
    monkeypatch.setattr("http.server.BaseHTTPRequestHandler.log_message", lambda *_: None)
    run(BLOCKS[0].replace("8080", "0"))
    monkeypatch.undo()
    [server] = served
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/"
    monkeypatch.setattr("http.server.BaseHTTPRequestHandler.log_message", lambda *_: None)
    try:
        with httpx2.Client() as client:
            yield lambda headers, body: client.post(url, headers=headers, content=body).status_code
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def flask() -> Post:
    client = run(BLOCKS[1])["app"].test_client()
    return lambda headers, body: client.post("/hook", headers=headers, data=body).status_code


@pytest.fixture
def fastapi() -> Iterator[Post]:
    from starlette.testclient import TestClient

    with TestClient(run(BLOCKS[2])["app"]) as client:
        yield lambda headers, body: client.post("/hook", headers=headers, content=body).status_code


@pytest.mark.parametrize("receiver", ["stdlib", "flask", "fastapi"])
@pytest.mark.parametrize("format", Format)
def test_a_documented_receiver_takes_what_relay_signs(
    format: Format,
    receiver: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    post: Post = request.getfixturevalue(receiver)
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    # Names with lines and capitals do not get through gateways as names of headers.
    stored = document(message="größer", channel="Größe", attributes={"a-b": "ü", "A_b": "1"})
    sent: Encoded = (
        batch(format, [stored], [item(format, stored)]) if format.is_batch else single(format, stored)
    )
    signed = Signer([SharedSecret.read(SECRET)]).headers(sent.id, int(time.time()), sent.body)
    headers = {name.decode(): value.decode() for name, value in (*sent.headers, *signed)}
    assert post(headers, sent.body) == 204
    assert capsys.readouterr().out == f"Größe {stored['_id']} {'größer'.encode()!r}\n"
    assert post(headers, sent.body + b" ") == 400
    assert post({}, sent.body) == 400
    assert capsys.readouterr().out == ""
