"""What the documentation tells people to type, and what it says comes back."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path

from tests.acceptance.stack import ROOT

PAGES = sorted(
    path.relative_to(ROOT)
    for pattern in ("*.md", "docs/**/*.md", "benchmarks/*.md", "deploy/**/*.md", "clients/*/*.md")
    for path in ROOT.glob(pattern)
)
# Their comments name commands, too.
CONFIGURATION = sorted(
    path.relative_to(ROOT)
    for pattern in ("docker-compose.yml", "Dockerfile", "deploy/**/*.y*ml", "deploy/**/Caddyfile")
    for path in ROOT.glob(pattern)
)

SHELLS = {"sh", "bash", "shell", "console"}
PROGRAMS = re.compile(
    r"(?:[A-Z_]+=\S+ )*"
    r"(\.venv/bin/\S+|python3?|pip|manage\.py|celery|make|docker|kubectl|curl|npm|redis-cli|psql|pg_\w+"
    r"|mongo\w+) "
)
_FENCE = re.compile(r"^ *```(\w*)[^\n]*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a block; `shown` is its output as the page has it, "…" standing for anything."""

    text: str
    shown: str = ""

    @property
    def words(self) -> list[str]:
        """As a shell would split it, without what it exports to the program."""
        words = shlex.split(self.text, comments=True)
        return list(dropwhile(re.compile("[A-Z_]+=").match, words))


def commands(page: str) -> Iterator[Command]:
    """Those of the shell blocks, in order. A block of `json` or `text` after one is what its end prints."""
    fences = _FENCE.findall(page)
    for at, (language, block) in enumerate(fences):
        if language not in SHELLS:
            continue
        lines = [line.strip() for line in re.sub(r"\s*\\\n\s*", " ", block).splitlines()]
        texts = [line for line in lines if line and not line.startswith("#")]
        following, output = fences[at + 1] if at + 1 < len(fences) else ("", "")
        for text in texts[:-1]:
            yield Command(text)
        yield Command(texts[-1], output if following in {"json", "text"} else "")


def mentions(page: str) -> Iterator[Command]:
    """Commands with arguments that stand in the text between backquotes."""
    for span in _SPAN.findall(_FENCE.sub("", page)):
        text = " ".join(span.replace("\n#", " ").split())
        if PROGRAMS.match(text):
            yield Command(text)


def read(page: Path) -> str:
    """Its text."""
    return (ROOT / page).read_text()


def comments(page: Path) -> str:
    """The lines of a configuration file that are for people."""
    return "\n".join(line.strip() for line in read(page).splitlines() if line.strip().startswith("#"))


def is_like(shown: str, said: str) -> bool:
    """Whether an output is the one shown. JSON may be set out otherwise; `"…": "…"` is any more members."""
    try:
        return _is_like(json.loads(shown), json.loads(said))
    except ValueError:
        pattern = ".*?".join(re.escape(part) for part in shown.strip().split("…"))
        return re.fullmatch(pattern, said.strip(), re.DOTALL) is not None


def _is_like(shown: object, said: object) -> bool:
    if shown == "…":
        return True
    if isinstance(shown, dict) and isinstance(said, dict):
        named = {name: value for name, value in shown.items() if name != "…"}
        return (
            named.keys() <= said.keys()
            and (named.keys() == said.keys() or "…" in shown)
            and all(_is_like(value, said[name]) for name, value in named.items())
        )
    if isinstance(shown, list) and isinstance(said, list):
        return len(shown) == len(said) and all(map(_is_like, shown, said))
    return type(shown) is type(said) and shown == said
