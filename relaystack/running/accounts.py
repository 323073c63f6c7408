"""Who the embedded servers run as. PostgreSQL refuses to be root, and the others have no need to be."""

import os
import pwd
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Account:
    """A user to become. `reach`: keep the right to pass directories that are closed to that user."""

    uid: int
    gid: int
    reach: bool = False

    def __str__(self) -> str:
        return f"{self.uid}:{self.gid}" + (":reach" if self.reach else "")


def server_account(*paths: Path) -> Account | None:
    """Whom a server with these files becomes: `nobody` if we are root, else None, which is who we are.

    A checkout or a home directory of root is closed to everybody else. Opening it would be rude, and copying
    the programs elsewhere slow, so then the server keeps one capability (`launch.py`).
    """
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    uid, gid = nobody.pw_uid & 0xFFFFFFFF, nobody.pw_gid & 0xFFFFFFFF
    closed = sys.platform == "linux" and not all(is_open_to(uid, gid, path) for path in paths)
    return Account(uid, gid, reach=closed)


def is_open_to(uid: int, gid: int, path: Path) -> bool:
    """Whether that user may pass every directory above the path, and above what it is a link to."""
    above = {*path.absolute().parents, *path.resolve().parents}
    return all(_may_pass(uid, gid, directory) for directory in above)


def give(paths: Iterable[Path], account: Account | None) -> None:
    """Make the account the owner."""
    if account is not None:
        for path in paths:
            os.chown(path, account.uid, account.gid, follow_symlinks=False)


def _may_pass(uid: int, gid: int, directory: Path) -> bool:
    status = directory.stat()
    if status.st_uid == uid:
        return bool(status.st_mode & 0o100)
    return bool(status.st_mode & (0o010 if status.st_gid == gid else 0o001))
