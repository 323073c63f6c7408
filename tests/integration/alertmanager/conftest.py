"""A web process with Alertmanager's API, and Debian's amtool."""

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from alerts_app.receiving.channel import CHANNEL
from tests.loops import Loop

Told = Callable[[], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def web(serve: Callable[..., str]) -> str:
    """Anybody may post and silence. What is not repeated ends after two seconds, and is ended at once."""
    return serve(
        RELAY_ALERTMANAGER="open",
        RELAY_ALERTMANAGER_RESOLVE_SECONDS="2",
        RELAY_ALERTMANAGER_GRACE_SECONDS="0",
    )


@pytest.fixture
def told(archive: Any, relay_keys: Any, writer: Loop) -> Told:
    """The messages of the channel, in order."""
    return lambda: [json.loads(one["message"]) for one in archive.find({"channel": CHANNEL}).sort("position")]


class Api:
    """The API, asked by hand."""

    def __init__(self, url: str) -> None:
        self._netloc = urlsplit(url).netloc

    def ask(
        self, method: str, path: str, given: Any = None, raw: bytes | None = None, **headers: str
    ) -> tuple[int, Any]:
        """Status and answer."""
        connection = HTTPConnection(self._netloc, timeout=20)
        body = raw if given is None else json.dumps(given).encode()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(
            method, "/alertmanager/api/v2" + path, body, {"Content-Type": "application/json", **sent}
        )
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        assert answer.headers["Content-Type"] == "application/json"
        return answer.status, json.loads(content) if content else None

    def well(self, method: str, path: str, given: Any = None) -> Any:
        """The answer, which is to be a success."""
        status, answer = self.ask(method, path, given)
        assert status == 200, answer
        return answer


@pytest.fixture
def api(db: None, relay_keys: Any, web: str) -> Api:
    return Api(web)


class Amtool:
    """Debian's amtool."""

    def __init__(self, url: str, home: Path) -> None:
        self._url, self._home = url, home

    def run(self, *words: str, stdin: str = "") -> str:
        """What it writes; it is to succeed."""
        done = self.try_(*words, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def json(self, *words: str) -> Any:
        """The same as JSON."""
        return json.loads(self.run(*words, "--output=json"))

    def try_(self, *words: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        """What becomes of it."""
        command: Sequence[str] = ["amtool", f"--alertmanager.url={self._url}", *words]
        environment = {"HOME": str(self._home), "PATH": "/usr/bin:/bin"}
        return subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=60, env=environment, check=False
        )


@pytest.fixture
def amtool(db: None, relay_keys: Any, web: str, tmp_path: Path) -> Amtool:
    if shutil.which("amtool") is None:
        pytest.skip("amtool is not installed: apt-get install prometheus-alertmanager")
    return Amtool(web + "/alertmanager", tmp_path)
