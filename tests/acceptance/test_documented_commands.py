"""Every command in the documentation is run, in the order of its page, beside a real Relay.

A command that cannot be run here stands in `NOT_RUN` with the reason, and what it names is looked up
instead. One that fails, or prints something else than its page shows, fails the test.
"""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg2
import pymongo
import pytest
import yaml
from celery.bin.celery import celery as celery_command
from django.core.management import CommandError, get_commands, load_command_class

from relayproject.stack.binaries import postgres_programs
from relayproject.stack.ports import free_port
from tests.acceptance.documented import (
    CONFIGURATION,
    PAGES,
    SHELLS,
    Command,
    commands,
    comments,
    is_like,
    mentions,
    read,
)
from tests.acceptance.stack import ROOT, Stack

MENTIONED = sorted(
    {command.text for page in PAGES for command in mentions(read(page))}
    | {command.text for page in CONFIGURATION for command in mentions(comments(page))}
)
WITH_COMMANDS = [page for page in PAGES if any(commands(read(page)))]


# --- what is looked up instead of run --------------------------------------------------------


def _make(words: list[str]) -> None:
    """The target is there, and the program behind it has the options in ARGS."""
    would = _output("make", "--dry-run", *words)
    for word in words:
        name, _, arguments = word.partition("=")
        if name == "ARGS":
            _, module, rest = would.splitlines()[-1].partition("-m ")
            assert module
            offered = _output(sys.executable, "-m", rest.split()[0], "--help")
            for option in shlex.split(arguments):
                assert not option.startswith("--") or f"{option} " in offered, f"no option {option}"


def _output(*argv: str) -> str:
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _docker(words: list[str]) -> None:
    """The services and the image are there, and what runs in one of them exists."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    if words[0] == "build":
        assert words[1] == "--tag"
        assert f"image: {words[2]}\n" in (ROOT / "deploy/kubernetes/30-web.yaml").read_text()
        return
    assert words[0] == "compose"
    action, *rest = words[1:]
    named = [word for word in rest if not word.startswith("-")]
    assert action in {"up", "down", "exec", "run", "build"}
    if action == "exec":
        assert named[0] in services, named[0]
        _look_up(Command(shlex.join(named[1:])))
    else:
        assert not set(named) - services.keys()


def _kubectl(words: list[str]) -> None:
    """The manifests are there."""
    assert words[0] in {"apply", "delete"}
    [where] = [after for option, after in pairwise(words) if option == "--filename"]
    assert list((ROOT / where).glob("*.yaml")) or (ROOT / where).is_file(), where


def _mongo(words: list[str]) -> None:
    """It asks for the server and the database that Relay writes to."""
    assert "--uri=$MONGO_URL" in words
    databases = {word.split("=")[1] for word in words if word.startswith("--db=")}
    assert databases <= {"relay"}, "the default of RELAY_MONGO_DATABASE is another"


def _manage(words: list[str]) -> None:
    """There is such a command, and it takes these arguments, if any are named."""
    name, *arguments = words
    apps = get_commands()
    assert name in apps, f"manage.py has no command {name}"
    parser = load_command_class(apps[name], name).create_parser("manage.py", name)
    if arguments:
        parser.parse_args(arguments)


def _python(words: list[str]) -> None:
    if words[0] == "-m":
        assert (ROOT / words[1].replace(".", "/")).with_suffix(".py").is_file(), words[1]
        return
    assert words[0] == "manage.py"
    _manage(words[1:])


def _celery(words: list[str]) -> None:
    assert words[:2] == ["-A", "relayproject"]
    assert words[2] in celery_command.commands


def _redis_cli(words: list[str]) -> None:
    assert words[:2] == ["-u", "$REDIS_URL"]


def _npm(words: list[str]) -> None:
    assert words == ["install"]
    assert (ROOT / "benchmarks/peers/package.json").is_file()


@dataclass(frozen=True, slots=True)
class Instead:
    """Why a program is not run, and what is looked up: its arguments are handed to `check`."""

    why: str
    check: Callable[[list[str]], None]


NOT_RUN: Mapping[str, Instead] = {
    "make": Instead("it runs until Ctrl-C, for an hour, or runs these tests", _make),
    "docker": Instead("there may be no Docker engine", _docker),
    "kubectl": Instead("there may be no cluster", _kubectl),
    "mongodump": Instead("MongoDB's tools are not among the Python packages", _mongo),
    "mongorestore": Instead("as mongodump", _mongo),
    "npm": Instead("Node.js is only for the peers of the benchmark", _npm),
}
# What is only mentioned is not run either: its place in a sentence says when, and often "not now".
MENTIONS: Mapping[str, Callable[[list[str]], None]] = {
    **{program: instead.check for program, instead in NOT_RUN.items()},
    "manage.py": _manage,
    "python": _python,
    "celery": _celery,
    "redis-cli": _redis_cli,
}


def _look_up(command: Command) -> None:
    program, *words = command.words
    program = program.removeprefix(".venv/bin/")
    assert program in MENTIONS, f"nothing is known of {program}: run it in a block, or add it to MENTIONS"
    MENTIONS[program](words)


# --- what is run -----------------------------------------------------------------------------

# Until Ctrl-C: what they say when they work.
ENDLESS = {"flower": "Visit me at http://127.0.0.1:", "tail": "hello"}
# Ports that may be taken on a machine where tests run.
PORTS = ("--port=5555",)


class Shell:
    """A shell in a directory that looks like the project's after `make run`."""

    def __init__(self, stack: Stack, room: Path) -> None:
        room.mkdir()
        for path in ROOT.iterdir():
            if path.name not in {".git", ".venv", "var"}:
                (room / path.name).symlink_to(path)
        (room / ".venv").symlink_to(sys.prefix)
        (room / "var").symlink_to(stack.data)
        # Without this, curl is content with an answer that is an error.
        (room / ".curlrc").write_text("fail-with-body\n")
        self._room, self._state = room, room / "exported"
        programs = [str(Path(sys.executable).parent), str(postgres_programs()), os.environ["PATH"]]
        self._environment = {
            **stack.environment,
            **{name.upper(): stack.info[name] for name in ("database_url", "redis_url", "mongo_url")},
            "PATH": os.pathsep.join(programs),
            "CURL_HOME": str(room),
            "RELAY": stack.info["web"],
            "TOKEN": stack.info["token"],
        }

    def run(self, command: Command, instead: Mapping[str, str] | None = None) -> str:
        """What it prints. The next one has what it exports, and not what `instead` exports before it."""
        exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in (instead or {}).items())
        keep = "" if instead else f"\nexport -p > '{self._state}'"
        done = subprocess.run(
            ["sh", "-e", "-c", f"{self._before()}{exports}{command.text}{keep}"],
            cwd=self._room,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{command.text}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def run_until(self, command: Command, awaited: str) -> None:
        """Start it, wait for some output, and press Ctrl-C."""
        text = command.text
        for port in PORTS:
            text = text.replace(port, f"--port={free_port('127.0.0.1')}")
        process = subprocess.Popen(
            ["sh", "-e", "-c", f"{self._before()}exec {text}"],
            cwd=self._room,
            env={**self._environment, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout is not None
        said = ""
        with process:
            try:
                for line in process.stdout:
                    said += line
                    if awaited in line:
                        break
                assert awaited in said, f"{command.text}\n{said}"
                process.send_signal(signal.SIGINT)
                process.communicate(timeout=20)
            finally:
                process.kill()

    def _before(self) -> str:
        return f". '{self._state}'\n" if self._state.exists() else ""


@pytest.fixture
def empty_database(stack: Stack) -> Iterator[str]:
    """The URL of a database of its own on the stack's PostgreSQL: what is restored destroys nothing."""
    url = stack.info["database_url"]
    with stack.postgres() as connection, connection.cursor() as cursor:
        cursor.execute("create database restored")
        yield url.rpartition("/")[0] + "/restored"
        cursor.execute("drop database restored with (force)")


@pytest.fixture
def shell(stack: Stack, tmp_path: Path) -> Iterator[Shell]:
    """What a page has started is stopped afterwards, and what it has published is forgotten."""
    for program in ("curl", "make"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program} here")
    before = _channels(stack)
    yield Shell(stack, tmp_path / "project")
    for channel in _channels(stack) - before:
        assert stack.http.delete(f"/api/v1/stop-listening/{channel}").status_code == 204
    with pymongo.MongoClient[Any](stack.info["mongo_url"]) as client:
        client["relay"]["messages"].delete_many({"channel": {"$nin": sorted(before)}})


def _channels(stack: Stack) -> set[str]:
    answer = stack.http.get("/api/v1/channels?limit=1000").json()
    return {channel["channel"] for channel in answer["results"]}


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=str)
def test_every_command_of_a_page_does_what_the_page_says(
    page: Path, shell: Shell, empty_database: str
) -> None:
    for command in commands(read(page)):
        program, *words = command.words
        if program in NOT_RUN:
            NOT_RUN[program].check(words)
        elif awaited := next((said for word, said in ENDLESS.items() if word in words), ""):
            shell.run_until(command, awaited)
        elif program == "pg_restore":
            shell.run(command, {"DATABASE_URL": empty_database})
            assert _tables(empty_database) >= {"channels", "leases", "django_migrations"}
        else:
            _run(shell, command)


def _tables(url: str) -> set[str]:
    connection = psycopg2.connect(url)
    with connection.cursor() as cursor:
        cursor.execute("select tablename from pg_tables where schemaname = 'public'")
        found = {name for (name,) in cursor.fetchall()}
    connection.close()
    return found


def _run(shell: Shell, command: Command) -> None:
    """What only reads is asked again, for a while, until it says what is shown."""
    deadline = time.monotonic() + (0 if "-X" in command.words else 10)
    while not is_like(command.shown or "…", said := shell.run(command)):
        assert time.monotonic() < deadline, f"{command.text}\nshown:\n{command.shown}\nsaid:\n{said}"
        time.sleep(0.2)


@pytest.mark.parametrize("text", MENTIONED)
def test_a_command_that_is_mentioned_names_what_there_is(text: str) -> None:
    _look_up(Command(text))


def test_pages_with_commands_are_found() -> None:
    assert {Path(name) for name in ("README.md", "docs/tutorial.md", "docs/operations.md")} <= {
        *WITH_COMMANDS
    }
    assert "make test" in MENTIONED


# --- these tests can fail --------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "make nonsense",
        'make bench ARGS="--nonsense"',
        "docker compose up --detach nonsense",
        "docker build --tag nonsense .",
        "docker compose exec web python manage.py nonsense",
        "kubectl apply --filename deploy/nonsense",
        "mongodump --uri=$MONGO_URL --db=nonsense",
        "python manage.py tokens nonsense",
        "python -m benchmarks.nonsense",
        "manage.py channels list --nonsense",
        "celery -A relayproject nonsense",
        "nonsense",
    ],
)
def test_what_there_is_not_is_noticed(text: str) -> None:
    with pytest.raises((AssertionError, CommandError, ValueError)):
        _look_up(Command(text))


@pytest.mark.parametrize("text", ["false", "nonsense", 'curl -sS "$RELAY/api/v1/channels"'])
def test_a_command_that_fails_is_noticed(text: str, shell: Shell) -> None:
    with pytest.raises(AssertionError):
        shell.run(Command(text))


@pytest.mark.parametrize(
    ("shown", "said", "alike"),
    [
        ('{"a": "…", "b": [1]}', '{"b":[1],"a":{"c":2}}', True),
        ('{"a": 1, "…": "…"}', '{"a":1,"b":2}', True),
        ('{"a": 1}', '{"a":1,"b":2}', False),
        ('{"a": 1, "b": 2}', '{"a":1}', False),
        ('{"a": 1}', '{"a":2}', False),
        ('{"a": true}', '{"a":1}', False),
        ('{"a": ["…"]}', '{"a":[]}', False),
        ("orders … ACTIVE", "orders\t ACTIVE", False),
        ("ok   Redis\n…", "ok   Redis\nok   MongoDB\n", True),
        ("ok   Redis", "NOT  Redis: gone", False),
    ],
)
def test_an_output_is_compared_with_what_is_shown(shown: str, said: str, alike: bool) -> None:
    assert is_like(shown, said) is alike


def test_commands_are_read_out_of_a_page() -> None:
    page = """# A page
```sh
# Not this.
one \\
  --two "a  b"
three
```
It says
```text
…
```
`make it` and `a word`, `not_a_command`.
"""
    assert list(commands(page)) == [Command('one --two "a  b"'), Command("three", "…\n")]
    assert list(mentions(page)) == [Command("make it")]
    assert {"sh", "console"} <= SHELLS
