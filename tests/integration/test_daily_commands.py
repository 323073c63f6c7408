"""`manage.py channels`, `messages` and `status`: what operators do at a shell."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from bson import ObjectId
from django.conf import settings
from django.core.management import CommandError, call_command

from channels_app.models import Channel, Gap
from leases_app.leasing import Contender
from messages_app.management.commands import messages as messages_module
from relaycore.position import first_of
from tests.integration.writing.world import Failpoint

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])


def _run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def _store(archive: Any, message: str | bytes, entry: str) -> None:
    at = datetime(2026, 11, 21, 12, tzinfo=UTC)
    document = {"channel": "orders", "message": message, "received_at": at, "position": first_of(entry)}
    archive.insert_one({"_id": ObjectId(), **document})


class TestChannels:
    def test_start_list_and_stop(self, relay_keys: Any) -> None:
        _run("channels", "start", "orders")
        _run("channels", "start", "a b", "--deduplicate", '{"field": "id"}')
        _run("channels", "start", "all", "--deduplicate", "every")
        assert _run("channels", "list").splitlines() == [
            'a b\tINACTIVE\t0\t{"field": "id"}',
            'all\tINACTIVE\t0\t"every"',
            'orders\tINACTIVE\t0\t"content"',
        ]
        assert _run("channels", "list", "--status", "ACTIVE") == ""
        _run("channels", "stop", "orders")
        assert not Channel.objects.filter(channel="orders").exists()

    @pytest.mark.parametrize(
        ("arguments", "about"),
        [
            (("start", "__relay:x"), "reserved for Relay"),
            (("start", "x", "--deduplicate", "never"), "deduplicate"),
            (("stop", "nothing"), '"nothing" is not relayed'),
        ],
    )
    def test_says_what_is_wrong(self, arguments: tuple[str, ...], about: str) -> None:
        with pytest.raises(CommandError, match=about):
            _run("channels", *arguments)


class TestMessages:
    def test_tail_shows_the_last_ones_and_no_terminal_codes(self, archive: Any, relay_keys: Any) -> None:
        for number, text in enumerate(["one", "two", "\x1b[2Jevil\n", b"\xff"]):
            _store(archive, text, f"{number}-0")

        shown = _run("messages", "tail", "--channel", "orders", "--lines", "3", "--no-follow")

        assert shown.splitlines() == [
            "2026-11-21 12:00:00  two",
            "2026-11-21 12:00:00  \\x1b[2Jevil\\n",
            "2026-11-21 12:00:00  \\xff",
        ]

    def test_tail_as_json_has_what_a_publisher_said(self, archive: Any, relay_keys: Any) -> None:
        said = {"attributes": {"kind": "new"}, "content_type": "text/plain", "produced_by": "billing"}
        _store(archive, "one", "1-0")
        _store(archive, "two", "2-0")
        archive.update_one({"message": "two"}, {"$set": said})

        lines = _run("messages", "tail", "--channel", "orders", "--json", "--no-follow").splitlines()

        heard, published = map(json.loads, lines)
        assert {name: heard[name] for name in said} == dict.fromkeys(said)
        assert {name: published[name] for name in said} == said

    def test_tail_follows_what_is_stored_from_then_on(
        self, archive: Any, relay_keys: Any, wait_until: Any, in_thread: Any
    ) -> None:
        _store(archive, "before", "1-0")
        seen: list[str] = []
        troubles: list[str] = []

        def follow() -> None:
            for message in messages_module._follow("orders", 1, troubles.append):
                seen.append(message["message"])
                if message["message"] == "last":
                    return

        done = in_thread(follow)
        wait_until(lambda: seen == ["before"])
        _store(archive, "first", "2-0")
        wait_until(lambda: seen == ["before", "first"])
        _store(archive, "last", "3-0")
        done.result(10)

        assert seen == ["before", "first", "last"]
        assert not troubles

    def test_tail_says_once_what_it_waits_for_and_goes_on_where_it_was(
        self, archive: Any, relay_keys: Any, wait_until: Any
    ) -> None:
        _store(archive, "before", "1-0")
        seen: list[str] = []
        troubles: list[str] = []

        def follow() -> None:
            for message in messages_module._follow("orders", 1, troubles.append):
                seen.append(message["message"])
                if message["message"] == "after":
                    return

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        wait_until(lambda: seen == ["before"])
        with Failpoint(failCommands=["find"], errorCode=50) as failing:
            _store(archive, "after", "2-0")
            wait_until(lambda: failing.entered >= 3)
        thread.join(10)

        assert seen == ["before", "after"]
        (said,) = troubles
        assert said.startswith("Waiting: ")

    def test_tail_says_what_was_not_heard_meanwhile(
        self, archive: Any, relay_keys: Any, wait_until: Any, in_thread: Any
    ) -> None:
        _store(archive, "before", "1-0")
        seen: list[str] = []
        said: list[str] = []

        def follow() -> None:
            for message in messages_module._follow("orders", 1, said.append):
                seen.append(message["message"])
                if message["message"] == "last":
                    return

        done = in_thread(follow)
        wait_until(lambda: seen == ["before"])
        window = {"began_at": datetime(2026, 11, 21, 12, tzinfo=UTC), "ended_at": datetime.now(UTC)}
        cause = Gap.Cause.CONNECTION_LOST
        Gap.objects.create(partition=0, channel="orders", cause=cause, missed_at_most=3, **window)
        Gap.objects.create(partition=0, channel="others", cause=cause, **window)
        wait_until(lambda: said)
        _store(archive, "last", "2-0")
        done.result(10)

        (line,) = said
        assert line.startswith("Not heard from 2026-11-21 12:00:00+00:00 to ")
        assert line.endswith(": connection lost; at most 3 missed")

    def test_tail_begins_nowhere_without_redis(self, archive: Any, redis_away: None) -> None:
        _store(archive, "before", "1-0")
        with pytest.raises(CommandError, match="Redis does not answer"):
            _run("messages", "tail", "--channel", "orders")
        assert "before" in _run("messages", "tail", "--channel", "orders", "--no-follow")

    def test_export_writes_all_of_it(self, archive: Any, relay_keys: Any, tmp_path: Path) -> None:
        for number in range(1500):
            _store(archive, f"message {number}", f"{number}-0")
        file = tmp_path / "orders.ndjson"

        _run("messages", "export", "--channel", "orders", "--output", str(file))
        lines = [json.loads(line)["message"] for line in file.read_text().splitlines()]
        assert lines == [f"message {number}" for number in range(1500)]
        some = tmp_path / "some.csv"
        arguments = ("--format", "csv", "--since", "1970-01-01T00:00:01Z", "--contains", "99")
        _run("messages", "export", "--channel", "orders", "--output", str(some), *arguments)
        assert len(some.read_text().splitlines()) == 1 + len([n for n in range(1000, 1500) if "99" in str(n)])

    def test_export_to_standard_output_is_the_file_and_nothing_else(
        self, archive: Any, relay_keys: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _store(archive, "hello", "1-0")
        out = io.TextIOWrapper(io.BytesIO())
        monkeypatch.setattr(sys, "stdout", out)

        call_command("messages", "export", "--channel", "orders", stderr=(said := io.StringIO()))

        assert said.getvalue().startswith("1 message read in ")
        assert json.loads(out.buffer.getvalue())["message"] == "hello"  # type: ignore[attr-defined]

    def test_a_reader_who_has_seen_enough_is_no_error(self, archive: Any, relay_keys: Any) -> None:
        for number in range(3):  # More than a pipe holds.
            _store(archive, f"{number}" + "x" * 500_000, f"{number}-0")
        names = {name: settings.DATABASES[name]["NAME"] for name in ("default", "messages")}
        place = urlsplit(settings.SERVERS.database_url)._replace(path=f"/{names['default']}")
        done = subprocess.run(
            f"set -o pipefail; {sys.executable} manage.py messages export --channel orders | head -c 10",
            shell=True,
            executable="/bin/bash",
            cwd=Path(__file__).parents[2],
            env={**os.environ, "DATABASE_URL": place.geturl(), "RELAY_MONGO_DATABASE": names["messages"]},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.stdout[:10], done.stderr) == ('{"id": "' + done.stdout[8:10], "")
        assert done.returncode == 128 + signal.SIGPIPE

    def test_for_a_spreadsheet_only_csv_can_be_written(
        self, archive: Any, relay_keys: Any, tmp_path: Path
    ) -> None:
        _store(archive, "=1+1", "1-0")
        arguments = ("messages", "export", "--channel", "orders", "--output", str(tmp_path / "x"))
        _run(*arguments, "--format", "csv", "--spreadsheet")
        assert ",'=1+1," in (tmp_path / "x").read_text()
        with pytest.raises(CommandError, match="--spreadsheet is for --format csv"):
            _run(*arguments, "--spreadsheet")

    def test_a_file_that_cannot_be_written_is_named(self, relay_keys: Any) -> None:
        with pytest.raises(CommandError, match="/nowhere/x cannot be written"):
            _run("messages", "export", "--channel", "orders", "--output", "/nowhere/x")

    def test_a_bar_fills_with_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("time.time", lambda: 2.0)
        full = messages_module._BAR
        assert messages_module._bar("", "").count("#") == 0
        assert messages_module._bar(first_of("1000-0"), first_of("1500-0")).count("#") == full // 2
        assert messages_module._bar(first_of("1000-0"), first_of("2500-0")).count("#") == full


class TestStatus:
    def test_says_what_is_well_and_what_is_not(
        self, archive: Any, relay_keys: Any, settings: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        settings.RELAY_LEASE_TTL_SECONDS = 60.0
        assert Contender().claim("writer", 0)
        with pytest.raises(SystemExit) as ended:
            call_command("status")

        said = capsys.readouterr().out
        assert ended.value.code == 1
        assert "NOT  listener of partition 0: nobody has held its lease yet" in said
        assert "ok   writer of partition 0\n" in said
        assert "stream of partition 0: 0 entries not stored, all stored" in said

    def test_is_content_when_all_is_well(self, archive: Any, relay_keys: Any, settings: Any) -> None:
        settings.RELAY_LEASE_TTL_SECONDS = 60.0
        assert Contender().claim("writer", 0)
        assert Contender().claim("listener", 0)
        assert Contender().claim("sender", 0)
        assert Contender().claim("processor", 0)

        assert "NOT" not in _run("status")
