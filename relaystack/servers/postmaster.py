"""PostgreSQL's pid file, when it names a process that is no PostgreSQL any more.

PostgreSQL refuses to start while the process in `postmaster.pid` exists. After a kill of everything it may
exist and yet be something else: a zombie that the first process of a container collects late or never, or,
after a restart of the container, a stranger with the same number.
"""

from pathlib import Path

NOBODY_S_PID = 2**31 - 1


def bury(data: Path) -> None:
    """Put a number that no process has in place of a dead postmaster's.

    The file itself must stay: PostgreSQL finds in it the shared memory of backends that may have survived.
    """
    file = data / "postmaster.pid"
    try:
        pid, *others = file.read_text().splitlines(keepends=True)
    except (FileNotFoundError, ValueError):
        return
    if pid.strip().isdigit() and not _may_be_postgres(int(pid)):
        file.write_text("".join([f"{NOBODY_S_PID}\n", *others]))


def _may_be_postgres(pid: int) -> bool:
    """In doubt, yes: then PostgreSQL decides."""
    processes = Path("/proc")
    if not (processes / "self" / "stat").exists():
        return True
    try:
        name, _, rest = (processes / str(pid) / "stat").read_text().partition(" (")[2].rpartition(") ")
    except OSError:
        return True
    return name == "postgres" and not rest.startswith("Z")
