"""`manage.py publish --http`: what it publishes is taken, once, also if its request has to be sent again."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.integration.publishing.conftest import Publisher

pytestmark = pytest.mark.django_db(transaction=True)

Make = Callable[..., str]
Stream = Callable[[], list[dict[str, Any]]]


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("publish", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture(autouse=True)
def _key(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAY_TOKEN", publisher.key)


def test_a_text(publisher: Publisher, make_channel: Make, stream: Stream) -> None:
    assert run(make_channel(name="a/b"), "hé\n", "--http", publisher.url) == "1\n"
    assert [message["message"] for message in stream()] == ["hé\n"]


def test_a_file(publisher: Publisher, make_channel: Make, stream: Stream, tmp_path: Path) -> None:
    texts = [f"message {index}" for index in range(2500)]
    file = tmp_path / "messages"
    file.write_text("\n\n".join(json.dumps({"message": text}) for text in texts) + "\n")

    assert run(make_channel(), "--file", str(file), "--http", publisher.url + "/") == "2500\n"
    assert [message["message"] for message in stream()] == texts


def test_a_terminal_shows_how_far_it_is(
    publisher: Publisher, make_channel: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    file = tmp_path / "messages"
    file.write_text('{"message": "a"}\n' * 1500)
    monkeypatch.setattr(sys, "stderr", shown := Terminal())

    run(make_channel(), "--file", str(file), "--http", publisher.url)

    assert shown.getvalue().endswith("\r[##############################] 100%  1,500 messages\n")


def test_what_is_refused_is_said(publisher: Publisher, make_channel: Make, tmp_path: Path) -> None:
    file = tmp_path / "messages"
    file.write_text('{"message": "a"}\nhello\n')
    with pytest.raises(CommandError, match="400: Message 1 is not JSON"):
        run(make_channel(), "--file", str(file), "--http", publisher.url)
    with pytest.raises(CommandError, match='404: The channel "nothing" is not relayed'):
        run("nothing", "hello", "--http", publisher.url)
