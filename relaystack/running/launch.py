"""Run one program so that it ends with its parent, and as another user when root starts it.

    python -I -S launch.py PARENT DEATH_SIGNAL ACCOUNT PROGRAM [ARGUMENT ...]

PARENT is the process id of the caller, DEATH_SIGNAL what Linux sends when the caller is gone, ACCOUNT is `-`
(stay), `UID:GID`, or `UID:GID:reach`: also keep the right to pass directories that are closed to that user.

A script of its own, and not a `preexec_fn`, because code between fork and exec can deadlock a process with
threads. It becomes the program by exec, so the process id stays. It imports nothing of this project.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_SECUREBITS = 28
PR_SET_CHILD_SUBREAPER = 36
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
SECBIT_NO_SETUID_FIXUP = 4
LINUX_CAPABILITY_VERSION_3 = 0x20080522


def main(arguments: list[str]) -> None:
    """Become the program. Comes back only to say why not."""
    parent, death_signal, account, *program = arguments
    try:
        if account != "-":
            become(account)
        if sys.platform == "linux":  # after become(): a change of user clears the death signal
            end_with(int(parent), int(death_signal))
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
            signal.signal(
                number, signal.SIG_DFL
            )  # whoever runs us under nohup or with & had some of them ignored
        os.execv(program[0], program)  # noqa: S606 -- a shell must not be between
    except OSError as error:
        sys.exit(f"cannot run {program[0]} as user {account}: {error}")


def become(account: str) -> None:
    """Change the user."""
    uid, gid, *reach = account.split(":")
    if reach:
        # Carries the capabilities over setuid(), and lets access() honour them: initdb asks access().
        prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)
    os.setgroups([])
    os.setgid(int(gid))
    os.setuid(int(uid))
    if reach:
        keep_access()


def keep_access() -> None:
    """Keep CAP_DAC_OVERRIDE, and nothing else, across exec.

    Not the narrower CAP_DAC_READ_SEARCH: containers usually withhold that one from root.
    """
    header = (ctypes.c_uint32 * 2)(LINUX_CAPABILITY_VERSION_3, 0)
    wanted = 1 << CAP_DAC_OVERRIDE
    sets = (ctypes.c_uint32 * 6)(
        wanted, wanted, wanted, 0, 0, 0
    )  # effective, permitted, inheritable; high words
    if libc().capset(header, sets) != 0:
        raise OSError(ctypes.get_errno(), "this system lets root keep no right to pass closed directories")
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE)


def end_with(parent: int, death_signal: int) -> None:
    """Have Linux send the signal as soon as the parent is gone."""
    prctl(PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent:  # it died before the line above
        sys.exit("the process that wanted this program is gone")


def prctl(*values: int) -> None:
    """Call the system, where zeros stand for what is not given."""
    padded = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:5]]
    if libc().prctl(*padded) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {values[0]} failed")


def libc() -> ctypes.CDLL:
    """The C library of this process."""
    return ctypes.CDLL(None, use_errno=True)


if __name__ == "__main__":
    main(sys.argv[1:])
