"""`manage.py publish --http`: what it publishes is taken, once, also if its request has to be sent again."""

import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.integration.publishing.conftest import Publisher

pytestmark = pytest.mark.django_db(transaction=True)

Make = Callable[..., str]
Stream = Callable[[], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def limited(serve: Callable[..., str]) -> str:
    """A web process in which a token may publish 10 messages a second."""
    return serve(RELAY_PUBLISH_PRODUCER_MESSAGES_PER_SECOND="10")


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


def test_a_bad_line_is_named_by_its_place_in_the_file(
    publisher: Publisher, make_channel: Make, stream: Stream, tmp_path: Path
) -> None:
    lines = ['{"message": "a"}'] * 1500
    lines[3], lines[1201] = "", "hello"
    file = tmp_path / "messages"
    file.write_text("\n".join(lines))

    with pytest.raises(CommandError, match=r"Line 1202: 400: .*\n1,000 messages before it were taken\."):
        run(make_channel(), "--file", str(file), "--http", publisher.url)
    assert len(stream()) == 1000


def test_under_a_limit_it_waits_as_long_as_it_is_asked_to(
    limited: str, make_channel: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, relay_keys: Any
) -> None:
    slept = list[float]()
    # Of that module alone: other threads sleep as well.
    monkeypatch.setattr("relayproject.posting.poster.time", SimpleNamespace(sleep=slept.append))
    monkeypatch.setattr("relayproject.posting.poster._TRIES", 3)
    file = tmp_path / "messages"
    file.write_text('{"message": "a"}\n' * 1001)

    with pytest.raises(CommandError, match="429: Too many messages"):
        run(make_channel(), "--file", str(file), "--http", limited)
    asked = [seconds for seconds in slept if seconds]
    assert len(asked) == 2
    assert all(60 < seconds < 100 for seconds in asked)

    slept.clear()
    monkeypatch.setattr("relayproject.posting.poster._LONGEST_WAIT_SECONDS", 30.0)
    with pytest.raises(CommandError, match="429: Too many messages"):
        run(make_channel(), "--file", str(file), "--http", limited)
    assert [seconds for seconds in slept if seconds] == [30.0, 30.0]


def test_a_file_that_was_taken_in_part_is_given_again_and_stored_once(
    publisher: Publisher, make_channel: Make, stream: Stream, tmp_path: Path
) -> None:
    texts = [f"message {index}" for index in range(1500)]
    lines = [json.dumps({"message": text}) for text in texts]
    file, channel = tmp_path / "messages", make_channel()
    file.write_text("\n".join([*lines[:1200], "hello", *lines[1200:]]))
    with pytest.raises(CommandError) as failed:
        run(channel, "--file", str(file), "--http", publisher.url)
    file.write_text("\n".join(lines))
    (key,) = re.findall(r"--idempotency-key (\S+)$", str(failed.value))

    assert run(channel, "--file", str(file), "--http", publisher.url, "--idempotency-key", key) == "1500\n"

    found = {message["_id"]: message["message"] for message in stream()}
    assert (len(stream()), list(found.values())) == (2500, texts)
