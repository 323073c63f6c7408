"""The commands in the documentation that tests cannot run, why, and what is looked up instead."""

import os
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import yaml
from celery.bin.celery import celery as celery_command
from django.core.management import get_commands, load_command_class

from tests.acceptance.documented import Command
from tests.acceptance.stack import ROOT


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
    # A make that runs these tests hands its own arguments down, and says where it enters and leaves.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
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
    for option, value in pairwise(rest):
        if option == "--build-arg":
            assert f"ARG {value.partition('=')[0]}" in (ROOT / "Dockerfile").read_text()
    named = [word for word in rest if not word.startswith("-") and "=" not in word]
    assert action in {"up", "down", "stop", "exec", "run", "build"}
    if action == "exec":
        assert named[0] in services, named[0]
        look_up(Command(shlex.join(named[1:])))
    else:
        assert not set(named) - services.keys()


def _kubectl(words: list[str]) -> None:
    """The manifests are there."""
    assert words[0] in {"apply", "delete"}
    files = [after for option, after in pairwise(words) if option == "--filename"]
    assert files
    for where in files:
        assert list((ROOT / where).glob("*.yaml")) or (ROOT / where).is_file(), where
    named = [yaml.safe_load_all((ROOT / where).read_text()) for where in files if (ROOT / where).is_file()]
    if words[0] == "delete":
        assert len(named) == len(files), "of a directory everything would be deleted, its namespace too"
        assert "Namespace" not in {found["kind"] for file in named for found in file}


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


def _pip(words: list[str]) -> None:
    """What is installed is there: a file of requirements, or a package."""
    assert words[0] == "install"
    if words[1] == "-r":
        assert (ROOT / words[2]).is_file()
        return
    package, _, extra = words[1].removesuffix("]").partition("[")
    about = ROOT / package / "pyproject.toml"
    assert about.is_file()
    assert not extra or extra in tomllib.loads(about.read_text())["project"]["optional-dependencies"]


def _npm(words: list[str]) -> None:
    assert words in (["install"], ["pack"])
    for folder in ("benchmarks/peers", "clients/js"):
        assert (ROOT / folder / "package.json").is_file()


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
    "npm": Instead("Node.js may not be there; `tests.node` has one of its own", _npm),
}
# What is only mentioned is not run either: its place in a sentence says when, and often "not now".
MENTIONS: Mapping[str, Callable[[list[str]], None]] = {
    **{program: instead.check for program, instead in NOT_RUN.items()},
    "manage.py": _manage,
    "python": _python,
    "celery": _celery,
    "pip": _pip,
    "redis-cli": _redis_cli,
}


def look_up(command: Command) -> None:
    """Fails if what a command names is not there."""
    program, *words = command.words
    program = program.removeprefix(".venv/bin/")
    assert program in MENTIONS, f"nothing is known of {program}: run it in a block, or add it to MENTIONS"
    MENTIONS[program](words)
