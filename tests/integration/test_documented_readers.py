"""The lines in docs/stream-format.md read the stream, just as they stand there."""

import re
from pathlib import Path

import bson
import pytest

from relaybase import keys
from relaybase.connections import redis_client
from relaycore.capturing.capture import Capture
from relaycore.envelope import F_BSON, F_MESSAGES, F_SOURCE

PAGE = (Path(__file__).parents[2] / "docs" / "stream-format.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def url(settings) -> str:
    return settings.SERVERS.redis_url


def test_the_python_lines_print_every_message(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    capture = Capture(b"tick", b"control", b"key", 1 << 20)
    capture.want(b"orders")
    pushes = [[b"message", b"orders", payload] for payload in (b"hello", b"na\xc3\xafve", b"\xff")]
    [piece] = capture.hear(pushes, 0).pieces
    fields = {F_MESSAGES: 3, F_SOURCE: "1.1", F_BSON: b"".join(piece.documents)}
    with redis_client() as client:
        client.delete(keys.stream(0))
        entry = client.xadd(keys.stream(0), fields).decode()
        try:
            exec(compile(BLOCKS[0].replace("REDIS_URL", repr(url)), "stream-format.md", "exec"), {})
        finally:
            client.delete(keys.stream(0))
    assert capsys.readouterr().out.splitlines() == [
        f"{entry} 0 orders hello",
        f"{entry} 1 orders naïve",
        f"{entry} 2 orders b'\\xff'",
    ]


def test_the_loop_without_a_library_cuts_an_entry_into_its_documents() -> None:
    scope: dict[str, object] = {}
    exec(compile(BLOCKS[1], "stream-format.md", "exec"), scope)
    blobs = [bson.encode({"n": n}) for n in range(3)]
    assert list(scope["documents"](b"".join(blobs))) == blobs  # type: ignore[operator]
