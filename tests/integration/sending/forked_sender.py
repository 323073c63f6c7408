"""A sender that is there again when it was killed: a program, which no test imports.

    python -m tests.integration.sending.forked_sender RULE

Prints the pid of each sender, which stands by as long as another one has the lease. When one has ended it
waits for a line, or ends itself with stdin. Rules of `relaycore.sending` that it may break:

careful:  breaks none
eager:    moves the cursor before the endpoint has answered (rule 1)
careless: writes whatever it finds there, and asks nobody whether it may send (rules 2 and 4)
endless:  knows no bound of what is not recorded (rule 5)
forgetful: does not write down of which batch a message is
restless: visits all subscriptions thirty times a second, though nothing is to be done
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import django

django.setup()

from django.conf import settings  # noqa: E402 -- Django is set up

from relaybase import stopping  # noqa: E402
from relaycore.delivering.cursor import Cursor  # noqa: E402
from relaycore.leasing.confirming import Confirmed  # noqa: E402
from relaycore.sending import window, writing  # noqa: E402
from relaycore.sending.items import Item, State  # noqa: E402
from webhooks_app.http.client import Client  # noqa: E402
from webhooks_app.sending import sender  # noqa: E402
from webhooks_app.sending.recording import rows  # noqa: E402
from webhooks_app.sending.recording import transaction as recording  # noqa: E402
from webhooks_app.sending.working import Working  # noqa: E402


def careful() -> None:
    """Nothing."""


def eager() -> None:
    module: Any = writing
    step = writing.step

    def early(seen: Any, revision: int, items: Any, *others: Any, **more: Any) -> Any:
        taken: list[tuple[Item, State]] = [(one, one.state) for one in items if one.state is State.OUT]
        for one, _ in taken:
            one.state = State.DONE
        try:
            return step(seen, revision, items, *others, **more)
        finally:
            for one, state in taken:
                one.state = state

    module.step = early


def careless() -> None:
    module: Any = recording
    module._require_term = lambda sql, term: None
    lease: Any = Confirmed
    lease.holds = lambda self, now: True
    Cursor.stands_as = lambda self, seen: True  # type: ignore[method-assign]


def endless() -> None:
    module: Any = window.Window
    begin = window.Window.__init__

    def endlessly(self: Any, *others: Any, **more: Any) -> None:
        begin(self, *others, **more)
        self._most = 10**9

    module.__init__ = endlessly


def forgetful() -> None:
    module: Any = rows
    insert, change = rows._insert, rows._change
    module._insert = lambda sql, id, new: insert(sql, id, [replace(one, batch="") for one in new])
    module._change = lambda sql, id, new: change(sql, id, [replace(one, batch="") for one in new])


def restless() -> None:
    module: Any = Working
    begin = Working.__init__

    def restlessly(self: Any, *others: Any, **more: Any) -> None:
        async def visit_all() -> None:
            for id in list(self._courses):
                self._come(id)

        begin(self, *others, **more)
        self._tasks.append(asyncio.create_task(self._repeat(visit_all, 1 / 30)))

    module.__init__ = restlessly


RULES: dict[str, Callable[[], None]] = {
    "careful": careful,
    "eager": eager,
    "careless": careless,
    "endless": endless,
    "forgetful": forgetful,
    "restless": restless,
}


def say_who() -> None:
    """In each request the pid of who has sent it, which no real one says."""
    module: Any = Client
    send = module.send

    def named(self: Any, target: Any, head: Any, *others: Any) -> None:
        send(self, target, head + b"x-sender: %d\r\n" % os.getpid(), *others)

    module.send = named


def main() -> None:
    """Until stdin is closed."""
    while True:
        if (pid := os.fork()) == 0:
            stopping.listen_to_signals(signal.SIGTERM)
            while not sender.send(0, stopping.asked) and not stopping.asked():
                time.sleep(0.05)
            os._exit(0)
        print(pid, flush=True)
        os.waitpid(pid, 0)
        if not sys.stdin.readline():
            return


if __name__ == "__main__":
    assert settings.RELAY_SENDER_SHARDS == 1
    say_who()
    RULES[sys.argv[1]]()
    main()
