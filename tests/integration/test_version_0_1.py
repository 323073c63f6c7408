"""Stores of version 0.1.0 are brought to this version, and nothing of them is lost or stored twice.

The stores in `tests/data/0.1.0` were left behind by a stack that was killed: entries wait on its stream, a
gap is open, leases are held by nobody. They are loaded into databases of their own, the commands of
"Upgrading from 0.1" in docs/operations.md are run, and Relay's own processes go on from there. Everything is
seen from outside, by API, admin and commands, so this test need not know how a later version keeps it.
"""

import base64
import csv
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import psycopg2
import pymongo
import pytest
import redis
from django.conf import settings

from relayproject.processes import processes
from tests.data import stores
from tests.data.make_dump import MOST_BYTES, PASSWORD, POLICIES, SECRET_KEY, TEN_YEARS, TOKEN
from tests.ending import end

ROOT = Path(__file__).parents[2]
DUMP = ROOT / "tests/data/0.1.0"
NAME = "version_0_1"
REDIS_NUMBER = 1

Payload = str | bytes
CHANNELS = (*POLICIES, "frames")


def _payload(written: Any) -> Payload:
    return written if isinstance(written, str) else base64.b64decode(written["base64"])


PUBLISHED: dict[str, dict[str, list[Payload]]] = {
    what: {channel: list(map(_payload, payloads)) for channel, payloads in of.items()}
    for what, of in json.loads((DUMP / "published.json").read_text()).items()
}
STORED, WAITING = PUBLISHED["stored"], PUBLISHED["waiting"]


class Relay:
    """The processes of this version on the stores of that one."""

    def __init__(self, environment: dict[str, str], log: Path, client: redis.Redis) -> None:
        self.redis = client
        self._environment = environment
        self._log = log
        self._running: list[subprocess.Popen[bytes]] = []
        self.http = httpx2.Client()

    def manage(self, *arguments: str) -> str:
        """Run a command; what it prints."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, *argv: str) -> None:
        """Start a process that runs until the end."""
        with self._log.open("ab") as log:
            self._running.append(
                subprocess.Popen(
                    [sys.executable, *argv], cwd=ROOT, env=self._environment, stdout=log, stderr=log
                )
            )

    def serve(self) -> None:
        """Start the web server, and wait for it."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.start("-m", "uvicorn", "relayproject.asgi:application", "--port", str(port), "--no-access-log")
        self.http = httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=40)
        self.wait_until(self._answers, "the web server answers")

    def wait_until(self, condition: Callable[[], object], what: str, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            ended = [process.args for process in self._running if process.poll() is not None]
            assert not ended, f"{ended} ended: {self._log.read_text()}"
            assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}: {self._log.read_text()}"
            time.sleep(0.1)

    def close(self) -> None:
        self.http.close()
        end(*self._running, seconds=30)

    def _answers(self) -> bool:
        try:
            return self.http.get("/healthz").status_code == 200
        except httpx2.TransportError:
            return False

    # --- what a reader sees ----------------------------------------------------------

    def get(self, address: str) -> Any:
        answer = self.http.get(f"/api/v1/{address}", headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200, answer.text
        return answer

    def channels(self) -> dict[str, dict[str, Any]]:
        return {row["channel"]: row for row in self.get("channels").json()["results"]}

    def gaps(self) -> list[dict[str, Any]]:
        """The first recorded first."""
        return list(reversed(self.get("gaps").json()["results"]))

    def page(self, channel: str) -> dict[str, Any]:
        """All messages of a channel in one page, the oldest first."""
        page: dict[str, Any] = self.get(f"messages?channel={channel}&order=asc&limit=1000").json()
        assert page["next"] is None
        return page

    def payloads(self, channel: str) -> list[Payload]:
        return [_decoded(row) for row in self.page(channel)["results"]]


def _decoded(row: dict[str, Any]) -> Payload:
    """The payload of a message as the API, and each export, shows it."""
    if row["encoding"] == "base64":
        return base64.b64decode(row["message"])
    text: str = row["message"]
    return text


# --- from the dump to this version, step by step -----------------------------------------------


@pytest.fixture(scope="module")
def loaded() -> Iterator[dict[str, str]]:
    """The stores, as the older version has left them; the environment that names them."""
    servers = settings.SERVERS
    database_url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{NAME}").geturl()
    redis_url = urlsplit(servers.redis_url)._replace(path=f"/{REDIS_NUMBER}").geturl()
    with ExitStack() as exit:
        client = exit.enter_context(redis.Redis.from_url(redis_url))
        mongo = exit.enter_context(pymongo.MongoClient[Any](servers.mongo_url))
        _administer(f"create database {NAME}")
        exit.callback(_administer, f"drop database {NAME} with (force)")
        client.flushdb()
        exit.callback(client.flushdb)
        mongo.drop_database(NAME)
        exit.callback(mongo.drop_database, NAME)
        stores.load_postgres(DUMP, database_url)
        stores.load_mongo(DUMP, mongo[NAME])
        stores.load_redis(DUMP, client)
        yield {
            **os.environ,
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "RELAY_MONGO_DATABASE": NAME,
            "RELAY_SECRET_KEY": SECRET_KEY,
        }


def _administer(statement: str) -> None:
    with closing(psycopg2.connect(os.environ["DATABASE_URL"])) as connection:
        connection.autocommit = True
        connection.cursor().execute(statement)


@pytest.fixture(scope="module")
def upgraded(loaded: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    """After the commands of the upgrade, with a web server and nothing else."""
    log = tmp_path_factory.mktemp(NAME) / "relay.log"
    with redis.Redis.from_url(loaded["REDIS_URL"]) as client, closing(Relay(loaded, log, client)) as relay:
        relay.manage("migrate", "--no-input")
        relay.manage("migrate", "--no-input", "--database", "messages")
        relay.manage("repartition")
        relay.serve()
        yield relay


@pytest.fixture(scope="module")
def before(upgraded: Relay) -> dict[str, Any]:
    """What a reader sees before anything has been written or heard."""
    return {
        "channels": upgraded.channels(),
        "gaps": upgraded.gaps(),
        "pages": {channel: upgraded.page(channel) for channel in STORED},
    }


@pytest.fixture(scope="module")
def written(upgraded: Relay, before: dict[str, Any]) -> Relay:
    """A writer of this version has stored what waited."""
    upgraded.start("manage.py", "write")
    expected = {channel: len(STORED[channel] + WAITING[channel]) for channel in CHANNELS}
    upgraded.wait_until(
        lambda: expected == {name: row["messages_stored"] for name, row in upgraded.channels().items()},
        f"what waits is stored and counted: {expected}",
    )
    return upgraded


@pytest.fixture(scope="module")
def heard(written: Relay) -> Relay:
    """A listener of this version hears the channels, and has heard something of each."""
    written.start("manage.py", "listen")
    written.wait_until(
        lambda: all(row["subscription_status"] == "ACTIVE" for row in written.channels().values()),
        "every channel is heard",
    )
    for channel in CHANNELS:
        for payload in (STORED[channel][0], f'{{"id": "new", "of": "{channel}"}}'):
            assert written.redis.publish(channel, payload)
    written.wait_until(
        lambda: all(_is_new(written.page(channel)["results"][-1]) for channel in CHANNELS), "the new ones"
    )
    return written


def _is_new(row: dict[str, Any]) -> bool:
    return '"new"' in row["message"]


# --- what the dump is ----------------------------------------------------------------------------


def test_the_dump_has_the_keys_of_version_0_1_and_entries_of_both_kinds_that_wait() -> None:
    commands = list(stores.commands(DUMP))
    keys = {words[1].decode() for words in commands}
    kept = {re.sub(r"rates:.*|requests:.*", "…", key) for key in keys if key.startswith("orchestrator")}
    partition = {"", ":ticks", ":confirmed", ":stored", ":last_at", ":meters", ":…"}
    assert kept == {f"orchestrator_channel:{{0}}{key}" for key in partition} | {
        "orchestrator_channel:journal",
        "orchestrator_channel:…",
    }
    assert [words[2] for words in commands if words[0] == b"XCLAIM"] == [b"writers"]  # delivered
    [delivered] = [words[4] for words in commands if words[:2] == [b"XGROUP", b"CREATE"]]
    ids = [words[2] for words in commands if words[0] == b"XADD"]
    assert len([id for id in ids if id > delivered]) > 50  # as long as the clock has 13 digits


def test_the_dump_has_the_tables_of_version_0_1() -> None:
    rows = re.findall(
        r"django_migrations VALUES \(\d+, '(\w+_app)', '(\d+)", (DUMP / stores.POSTGRES).read_text()
    )
    assert dict(rows) == {
        "access_app": "0001",
        "channels_app": "0004",
        "leases_app": "0003",
        "messages_app": "0002",
    }


def test_the_dump_names_no_machine() -> None:
    for name in (stores.POSTGRES, stores.REDIS, stores.MONGO):
        assert not re.search(rb"/tmp/|/home/", (DUMP / name).read_bytes()), name


# --- after the commands of the upgrade ---------------------------------------------------------------


def test_every_channel_keeps_its_policy_its_retention_and_its_count(before: dict[str, Any]) -> None:
    assert {name: row["deduplicate"] for name, row in before["channels"].items()} == {
        **POLICIES,
        "frames": "content",
    }
    assert {name for name, row in before["channels"].items() if row["retention_seconds"]} == {"payments"}
    assert before["channels"]["payments"]["retention_seconds"] == TEN_YEARS
    for channel, row in before["channels"].items():
        assert row["messages_stored"] == len(STORED[channel])
        assert row["subscription_status"] == "INACTIVE"  # nobody listens yet, and nothing says so


def test_every_message_is_there_up_to_what_waits(before: dict[str, Any]) -> None:
    for channel, page in before["pages"].items():
        assert list(map(_decoded, page["results"])) == STORED[channel], channel
        assert all(row["position"] < page["watermark"] for row in page["results"])


def test_every_gap_is_there_with_what_is_known_of_it(before: dict[str, Any]) -> None:
    covered, closed, still_open = before["gaps"]
    assert covered["covered"]
    assert covered["missed_at_most"] == 0
    assert closed["to"] is not None
    assert closed["missed_at_most"] >= 30
    assert (closed["cause"], closed["covered"]) == ("no listener", False)
    assert (still_open["cause"], still_open["to"]) == ("no listener", None)
    for row in before["channels"].values():
        assert row["open_gap"]["id"] == still_open["id"]
    for page in before["pages"].values():
        assert not page["complete"]


def test_tokens_of_the_older_version_open_the_api_and_revoked_ones_do_not(upgraded: Relay) -> None:
    upgraded.get("channels")
    state = {line.split("\t")[0]: line for line in upgraded.manage("tokens", "list").splitlines()}
    assert "revoked" in state["report"]
    assert "revoked" not in state["import"]
    assert "\tread *\t" in state["import"]


def test_the_operator_logs_in_and_sees_audit_log_and_quarantine(upgraded: Relay) -> None:
    with httpx2.Client(base_url=upgraded.http.base_url, follow_redirects=True, timeout=40) as browser:
        browser.get("/admin/login/")
        login = {"username": "admin", "password": PASSWORD, "next": "/admin/"}
        login["csrfmiddlewaretoken"] = browser.cookies["csrftoken"]
        assert browser.post("/admin/login/", data=login).status_code == 200
        audit = browser.get("/admin/access_app/auditentry/").text
        for action in ("channel started", "channel changed", "channel stopped", "token revoked"):
            assert action in audit, action
        quarantine = browser.get("/admin/messages_app/quarantined/").text
        assert quarantine.count('name="_selected_action"') == 4
        assert str(MOST_BYTES) in quarantine.replace(",", "").replace(" ", "")


# --- after the first writer ---------------------------------------------------------------------------


@pytest.mark.parametrize("channel", CHANNELS)
def test_what_waited_is_stored_exactly_once(written: Relay, channel: str) -> None:
    assert written.payloads(channel)[: len(STORED[channel] + WAITING[channel])] == [
        *STORED[channel],
        *WAITING[channel],
    ]


@pytest.mark.parametrize("channel", CHANNELS)
def test_ids_and_positions_stay_and_what_waited_stands_above_them(
    written: Relay, before: dict[str, Any], channel: str
) -> None:
    old, page = before["pages"][channel], written.page(channel)
    assert page["results"][: len(old["results"])] == old["results"]
    positions = [row["position"] for row in page["results"]]
    assert positions == sorted(set(positions))
    assert page["watermark"] > old["watermark"]


# --- after the first listener ---------------------------------------------------------------------------


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_text_from_before_is_the_same_message_under_its_policy(heard: Relay, channel: str) -> None:
    again = [STORED[channel][0]] if channel == "readings" else []
    new = f'{{"id": "new", "of": "{channel}"}}'
    assert heard.payloads(channel) == [*STORED[channel], *WAITING[channel], *again, new]
    assert heard.page(channel)["results"][-1]["position"] < heard.page(channel)["watermark"]


def test_the_open_gap_is_closed_and_the_others_stay(heard: Relay, before: dict[str, Any]) -> None:
    gaps = heard.gaps()
    assert gaps[:2] == before["gaps"][:2]
    assert gaps[2]["id"] == before["gaps"][2]["id"]
    assert not gaps[2]["covered"]
    assert all(gap["to"] is not None for gap in gaps)
    for row in heard.channels().values():
        assert row["open_gap"] is None
        assert row["complete_since"] is not None
        assert row["listener"]["epoch"] > 3  # terms go on where the older version has left them


@pytest.mark.parametrize("channel", CHANNELS)
def test_exports_have_all_of_it(heard: Relay, channel: str) -> None:
    page = heard.page(channel)["results"]
    address = f"messages/export?channel={channel}&order=asc&format="
    lines = heard.get(address + "ndjson").text.removesuffix("\n").split("\n")
    assert list(map(json.loads, lines)) == page
    rows = list(csv.DictReader(heard.get(address + "csv").text.splitlines(keepends=True)))
    # A cell has no null.
    assert rows == [{name: "" if value is None else value for name, value in row.items()} for row in page]


def test_the_meters_go_on_from_where_they_were(heard: Relay) -> None:
    said = heard.http.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).text
    [stored] = re.findall(r'^relay_messages_stored_total\{partition="0"\} (\d+)', said, re.MULTILINE)
    assert int(stored) > sum(map(len, STORED.values()))


def test_beat_proposes_with_the_schedule_of_the_older_version(heard: Relay) -> None:
    [beat] = [process for process in processes() if process.name == "beat"]
    heard.redis.delete("default")
    heard.start(*beat.arguments)
    heard.wait_until(lambda: heard.redis.llen("default"), "a proposal")
