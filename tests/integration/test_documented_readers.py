"""The lines in docs/stream-format.md read the stream, just as they stand there."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import bson
import pytest

from relaybase import keys
from relaybase.connections import redis_client
from relaycore.capturing.capture import Capture
from relaycore.envelope import F_BSON, F_MESSAGES, F_SOURCE, MAX_CARRIED_BYTES, Encoder, timestamp
from tests.node import NODE

PAGE = (Path(__file__).parents[2] / "docs" / "stream-format.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
KEY = bytes(range(12))
AT = timestamp(1_732_190_000_123)
SAID: dict[str, Any] = {"attributes": {"kind": "größer", "a.b": ""}, "content_type": "text/plain"}


@pytest.fixture
def url(settings) -> str:
    return settings.SERVERS.redis_url


def test_the_python_lines_print_every_message(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    capture = Capture(b"tick", b"control", b"key", 1 << 20)
    capture.want(b"orders")
    pushes = [[b"message", b"orders", payload] for payload in (b"hello", b"na\xc3\xafve", b"\xff")]
    [piece] = capture.hear(pushes, 0).pieces
    published = Encoder(b"orders").encode_published(KEY, b"here", AT, **SAID)
    fields = {F_MESSAGES: 4, F_SOURCE: "1.1", F_BSON: b"".join([*piece.documents, published])}
    with redis_client() as client:
        client.delete(keys.stream(0))
        entry = client.xadd(keys.stream(0), fields).decode()
        try:
            exec(compile(BLOCKS[0].replace("REDIS_URL", repr(url)), "stream-format.md", "exec"), {})
        finally:
            client.delete(keys.stream(0))
    assert capsys.readouterr().out.splitlines() == [
        f"{entry} 0 orders hello None",
        f"{entry} 1 orders naïve None",
        f"{entry} 2 orders b'\\xff' None",
        f"{entry} 3 orders here {SAID['attributes']}",
    ]


def test_the_loop_without_a_library_cuts_an_entry_into_its_documents() -> None:
    scope: dict[str, object] = {}
    exec(compile(BLOCKS[1], "stream-format.md", "exec"), scope)
    blobs = [bson.encode({"n": n}) for n in range(3)]
    assert list(scope["documents"](b"".join(blobs))) == blobs  # type: ignore[operator]


IN_JAVASCRIPT = """
const blob = require('fs').readFileSync(0);
const shown = (key, value) => value && value.type === 'Buffer' ? {bytes: value.data} : value;
console.log(JSON.stringify([...documents(blob)], shown));
"""

IN_PERL = """
use JSON::PP;
binmode STDIN;
my @found = documents(do { local $/; <STDIN> });
print JSON::PP->new->canonical->ascii->encode(\\@found);
"""


@pytest.mark.parametrize(
    ("language", "program", "rest"),
    [("js", NODE, IN_JAVASCRIPT), ("perl", "perl", IN_PERL)],
    ids=["JavaScript", "Perl"],
)
def test_the_lines_in_other_languages_read_all_that_a_document_may_have(
    tmp_path: Path, language: str, program: str, rest: str
) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"no {program} here")
    (lines,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    script = tmp_path / f"reader.{language}"
    script.write_text(lines + rest)
    encoder = Encoder("größe".encode())
    documents = [
        encoder.encode(KEY, "naïve \0 🚌".encode(), AT),
        encoder.encode_published(KEY, b"", AT, **SAID, produced_by="ünï"),
        encoder.encode(KEY, b"\xff\x00", AT),
        encoder.encode_refused(KEY, b"x" * (MAX_CARRIED_BYTES + 1), AT),
    ]

    read = subprocess.run(
        [program, script], input=b"".join(documents), capture_output=True, check=True, timeout=60
    )

    every = {"_id": KEY.hex(), "channel": "größe", "received_at": 1_732_190_000_123}
    # Perl itself does not say what is text and what is bytes.
    binary = {"bytes": [0xFF, 0]} if language == "js" else "\xff\0"
    assert json.loads(read.stdout) == [
        every | {"message": "naïve \0 🚌"},
        every | {"message": ""} | SAID | {"produced_by": "ünï"},
        every | {"message": binary},
        every | {"message": "x" * MAX_CARRIED_BYTES, "size": MAX_CARRIED_BYTES + 1},
    ]
