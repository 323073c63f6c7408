"""A supervisor over small stand-ins for Relay's programs.

    python -m tests.integration.stack.stand_in DIRECTORY [NAME ...]

Each child says in DIRECTORY/ends when it was told to stop; `worker` has a child of its own that does not
listen to SIGTERM, and `stubborn` does not either. The process ids are in DIRECTORY/stack.json, and that of
the worker's child in DIRECTORY/grandchild.
"""

import os
import sys
from pathlib import Path

from relaystack.files import write_json
from relaystack.running.interrupts import Interrupts
from relaystack.running.process import Command
from relaystack.running.supervisor import Stage, Supervisor

OBEDIENT = """
import signal, sys, time
def stop(*_):
    with open("ends", "a") as ends:
        print(sys.argv[1], file=ends)
    sys.exit()
signal.signal(signal.SIGTERM, stop)
print("started", flush=True)
while True:
    time.sleep(60)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("started", flush=True)
time.sleep(60)
"""
PARENT = f"""
import subprocess, sys
stubborn = subprocess.Popen([sys.executable, "-c", {STUBBORN!r}])
with open("grandchild", "w") as file:
    file.write(str(stubborn.pid))
{OBEDIENT}
"""
SHORT_LIVED = "raise SystemExit(3)"

CODE = {"worker": PARENT, "stubborn": STUBBORN, "short": SHORT_LIVED}
STAGES = {"beat": Stage.BEAT, "server": Stage.SERVER}


def main(directory: Path, *names: str) -> None:
    """Supervise until a signal comes."""
    interrupts = Interrupts()
    interrupts.install()
    supervisor = Supervisor(
        lambda pids: write_json(directory / "stack.json", {"pids": pids}),
        lambda text: print(text, flush=True),
    )
    try:
        for name in names or ("server", "worker", "web", "beat"):
            argv = [sys.executable, "-c", CODE.get(name, OBEDIENT), name]
            command = Command(name, argv, directory / f"{name}.log", os.environ, directory=directory)
            supervisor.adopt(command.start(), STAGES.get(name, Stage.PROGRAM))
        supervisor.run(interrupts)
    finally:
        supervisor.stop(interrupts)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
