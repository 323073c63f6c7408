"""The proxy that Docker Compose starts, with the configuration that it has there, in front of who watches."""

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from relayproject.processes import processes
from tests.ending import end
from tests.integration.conftest import BEGUN_SECONDS, environment_of_a_web_process
from tests.integration.live.asking import asked, payloads, status_of
from tests.integration.pulling.conftest import Client

pytestmark = pytest.mark.django_db(transaction=True)

CADDYFILE = Path(__file__).parents[3] / "deploy/proxy/Caddyfile"
STREAM = {"Accept": "text/event-stream"}


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def wait_for(port: int) -> None:
    """Until somebody listens there."""
    until = time.monotonic() + BEGUN_SECONDS
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"nobody listens on {port}")


@dataclass
class Site:
    """The proxy, and the web process behind it."""

    url: str
    web_port: int
    log: Path
    web: "subprocess.Popen[bytes] | None" = None

    def start_web(self) -> None:
        """Start it, where the proxy looks for it."""
        found = next(one for one in processes({"RELAY_WEB_PORT": str(self.web_port)}) if one.name == "web")
        environment = environment_of_a_web_process(RELAY_WEB_REQUESTS_PER_MINUTE="0")
        self.web = subprocess.Popen(found.argv(sys.executable), env=environment)
        wait_for(self.web_port)

    def end_web(self, kill: Callable[["subprocess.Popen[bytes]"], None]) -> None:
        """End it."""
        if self.web is not None:
            kill(self.web)
            self.web.wait(15)
            self.web = None


@pytest.fixture(scope="module")
def site(messages_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Behind no TLS: for a name with a scheme Caddy does what it says."""
    folder, port = tmp_path_factory.mktemp("caddy"), free_port()
    found = Site(f"http://127.0.0.1:{port}", free_port(), folder / "log")
    file = folder / "Caddyfile"
    file.write_text(
        CADDYFILE.read_text()
        .replace("{\n", "{\n\tadmin off\n", 1)
        .replace("reverse_proxy web:8000", f"reverse_proxy 127.0.0.1:{found.web_port}")
    )
    caddy = shutil.which("caddy", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert caddy is not None, "install requirements-dev.txt: it brings Caddy"
    environment = {
        "RELAY_SITE": found.url,
        "RELAY_LIVE": f"127.0.0.1:{found.web_port}",
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "HOME": str(folder),
    }
    arguments = [caddy, "run", "--config", str(file), "--adapter", "caddyfile"]
    with found.log.open("wb") as log:
        proxy = subprocess.Popen(arguments, env=environment, cwd=folder, stderr=log)
    try:
        wait_for(port)
        found.start_web()
        yield found
    finally:
        end(*([found.web] if found.web is not None else []), proxy, seconds=15)


def told(answer: http.client.HTTPResponse) -> str:
    """The next message."""
    message: str = next(json.loads(one) for one in payloads(answer) if '"message"' in one)["message"]
    return message


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
@pytest.mark.parametrize("path", ["channels/{}/live", "live?channel={}"])
def test_each_message_comes_through_as_it_is_stored(
    site: Site, channel: str, token: str, path: str, encoding: str
) -> None:
    headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": encoding, **STREAM}
    publisher = Client(site.url, token)
    with asked(site.url, path.format(channel), headers) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        # What is packed is collected first.
        assert "Content-Encoding" not in answer.headers
        for text in ("one", "two"):
            publisher.publish(channel, text)
            assert told(answer) == text


def test_everything_else_is_packed(site: Site, channel: str, token: str) -> None:
    Client(site.url, token).publish(channel, "x" * 10_000)
    headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "gzip"}
    with asked(site.url, f"messages?channel={channel}", headers) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"


def test_a_browser_is_told_to_come_again_while_web_is_away(site: Site, channel: str, token: str) -> None:
    path, key = f"channels/{channel}/live", {"Authorization": f"Bearer {token}"}
    ticket = Client(site.url, token).post("live/tickets", {"channels": [channel]}, 201)["ticket"]
    with asked(site.url, f"{path}?ticket={ticket}", STREAM) as answer:
        assert answer.status == 200
        site.end_web(subprocess.Popen.kill)
    try:
        for one in (f"{path}?ticket={ticket}", f"live?channel={channel}&ticket={ticket}"):
            with asked(site.url, one, STREAM) as away:
                assert away.status == 200
                assert away.headers["Content-Type"].startswith("text/event-stream")
                assert away.read().startswith(b"retry: 3000\n\n")
        # Whoever wants no stream is told the truth.
        assert status_of(site.url, f"messages?channel={channel}", key) == 502
        assert status_of(site.url, path, {**key, "Accept": "application/json"}) == 502
    finally:
        site.start_web()
    assert "incomplete response" in site.log.read_text()
    assert ticket not in site.log.read_text()
    with asked(site.url, f"{path}?ticket={ticket}", STREAM) as again:
        Client(site.url, token).publish(channel, "back")
        assert told(again) == "back"
