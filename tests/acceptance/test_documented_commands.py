"""Every command in the documentation is run, in the order of its page, beside a real Relay.

A command that cannot be run here stands in `not_run.py` with the reason, and what it names is looked up
instead. One that fails, or prints something else than its page shows, fails the test.
"""

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg2
import pymongo
import pytest
from django.core.management import CommandError

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
from tests.acceptance.not_run import NOT_RUN, look_up
from tests.acceptance.shell import Shell
from tests.acceptance.stack import ROOT, Stack

MENTIONED = sorted(
    {command.text for page in PAGES for command in mentions(read(page))}
    | {command.text for page in CONFIGURATION for command in mentions(comments(page))}
)
WITH_COMMANDS = [page for page in PAGES if any(commands(read(page)))]
# Those whose Relay is set up as they say.
OWN = {
    Path("docs/alertmanager.md"): {"RELAY_ALERTMANAGER": "open"},
    Path("docs/alerts.md"): {"RELAY_ALERTS": "open"},
    Path("docs/log-queue.md"): {"RELAY_LOG_QUEUE": "open"},
    Path("docs/webhooks.md"): {
        "RELAY_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        "PYTHONPATH": str(ROOT / "clients/python/src"),  # What pip has installed there.
    },
}
# Programs that readers write into a file, by the page. They are Python, and the only blocks marked "py".
WRITTEN = {Path("docs/webhooks.md"): "receiver.py"}
# Until Ctrl-C: what they say when they work.
ENDLESS = {"flower": "Visit me at http://127.0.0.1:", "tail": "hello"}


@pytest.fixture
def page() -> Path:
    """Any page."""
    return Path("README.md")


@pytest.fixture
def beside(page: Path, room: Path, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """The Relay beside which the commands of a page are run."""
    if (environment := OWN.get(page)) is None:
        yield request.getfixturevalue("stack")
        return
    # Not what another file of tests has in a directory of that name.
    stack = Stack(room / f"page-{page.stem}", **environment)
    stack.start()
    yield stack
    stack.stop()


@pytest.fixture
def empty_database(beside: Stack) -> Iterator[str]:
    """The URL of a database of its own on the stack's PostgreSQL: what is restored destroys nothing."""
    url = beside.info["database_url"]
    with beside.postgres() as connection, connection.cursor() as cursor:
        cursor.execute("create database restored")
        yield url.rpartition("/")[0] + "/restored"
        cursor.execute("drop database restored with (force)")


@pytest.fixture
def shell(beside: Stack, tmp_path: Path) -> Iterator[Shell]:
    """What a page has started is stopped afterwards, and what it has published is forgotten."""
    for program in ("curl", "make"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program} here")
    before = _channels(beside)
    shell = Shell(beside, tmp_path / "project")
    yield shell
    shell.end_what_is_left()
    for channel in _channels(beside) - before:
        path = f"/api/v1/stop-listening/{quote(channel, safe='')}?cascade=true"
        assert beside.http.delete(path).status_code == 204
    with pymongo.MongoClient[Any](beside.info["mongo_url"]) as client:
        client["relay"]["messages"].delete_many({"channel": {"$nin": sorted(before)}})


def _channels(stack: Stack) -> set[str]:
    answer = stack.http.get("/api/v1/channels?limit=1000").json()
    return {channel["channel"] for channel in answer["results"]}


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=str)
def test_every_command_of_a_page_does_what_the_page_says(
    page: Path, shell: Shell, empty_database: str, tmp_path: Path
) -> None:
    if (name := WRITTEN.get(page)) is not None:
        (block,) = re.findall(r"```py\n(.*?)```", read(page), re.DOTALL)
        (tmp_path / "project" / name).write_text(block)
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


def test_the_tutorial_works_once_more_after_everything_was_stopped(room: Path, tmp_path: Path) -> None:
    """Word for word, after the commands of the README, and after Ctrl-C."""
    stack = Stack(room / "twice")
    for time_of_it in ("first", "second"):
        stack.start()
        try:
            shell = Shell(stack, tmp_path / time_of_it)
            if time_of_it == "first":
                stack.listen_to("orders")
            for command in commands(read(Path("docs/tutorial.md"))):
                if "curl" in command.words or "export" in command.words or "publish" in command.words:
                    _run(shell, command)
        finally:
            stack.stop()


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
    look_up(Command(text))


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
        "RELAY_LOG_QUEUE=open make nonsense",
        'make bench ARGS="--nonsense"',
        "docker compose up --detach nonsense",
        "docker build --tag nonsense .",
        "docker compose exec web python manage.py nonsense",
        "kubectl apply --filename deploy/nonsense",
        "kubectl delete --filename deploy/kubernetes",
        "docker compose stop nonsense",
        "mongodump --uri=$MONGO_URL --db=nonsense",
        "python manage.py tokens nonsense",
        "python -m benchmarks.nonsense",
        "manage.py channels list --nonsense",
        "pip install ./nonsense",
        "pip install ./clients/python[nonsense]",
        "celery -A relayproject nonsense",
        "nonsense",
    ],
)
def test_what_there_is_not_is_noticed(text: str) -> None:
    with pytest.raises((AssertionError, CommandError, ValueError)):
        look_up(Command(text))


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
NAME=value three
```
It says
```text
…
```
`make it` and `a word`, `not_a_command`.
"""
    assert list(commands(page)) == [Command('one --two "a  b"'), Command("NAME=value three", "…\n")]
    assert Command("NAME=value OTHER= three x=y").words == ["three", "x=y"]
    assert list(mentions(page)) == [Command("make it")]
    assert {"sh", "console"} <= SHELLS
