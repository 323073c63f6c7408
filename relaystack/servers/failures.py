"""Why a program did not start: from what it said last to one sentence."""

import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from relaystack.running.process import describe_exit

ADDRESS_IN_USE = "Address already in use"

Rule = tuple[str, str]
"""A pattern in the output, and the sentence, with {title}, {setting}, {directory} and the groups {0}, {1}."""

MISSING_LIBRARY = (
    "{title} cannot start because the library {0} is missing: "
    "install it, or set {setting} to a server of your own."
)
DEBIAN_PACKAGES = {"libcurl": "libcurl4", "libcrypto.so.3": "libssl3", "libssl.so.3": "libssl3"}

COMMON_RULES: Sequence[Rule] = (
    (r"error while loading shared libraries: ([^\s:]+)", MISSING_LIBRARY),
    (r"Library not loaded: (\S+)", MISSING_LIBRARY),
    (
        r"version [`'](GLIBC\S+)' not found",
        "{title} cannot start because this system is too old for it ({0} is missing): "
        "set {setting} to a server of your own.",
    ),
    (
        r"No space left on device|Check free disk space",
        "{title} cannot start because the disk is full: make room under {directory} and start again.",
    ),
)


@dataclass(frozen=True, slots=True)
class Failure:
    """A server's program that has ended instead of serving."""

    title: str
    setting: str
    directory: Path
    log: Path
    exit_code: int
    output: str

    def sentence(self, rules: Sequence[Rule]) -> str:
        """The first rule that fits, or else the last line of the output."""
        for pattern, text in (*rules, *COMMON_RULES):
            if match := re.search(pattern, self.output):
                groups = match.groups()
                names = {"title": self.title, "setting": self.setting, "directory": self.directory}
                return text.format(*groups, **names) + _debian_package(groups)
        if self.exit_code == -signal.SIGILL:
            return (
                f"{self.title} cannot start because this processor lacks instructions it needs (AVX, say): "
                f"set {self.setting} to a server of your own."
            )
        lines = [line for line in self.output.splitlines() if line.strip()]
        last = f": {lines[-1].strip()[:300]}" if lines else ""
        return f"{self.title} did not start ({describe_exit(self.exit_code)}; see {self.log}){last}"


def _debian_package(groups: Sequence[str]) -> str:
    library = groups[0] if groups else ""
    package = next((name for start, name in DEBIAN_PACKAGES.items() if library.startswith(start)), None)
    return f" (Debian and Ubuntu: apt-get install {package}.)" if package else ""
