"""Writers that are not careful enough: the controls of the writer's faults.

python -m tests.chaos.hasty_writer acknowledge   # acknowledges, inserts later, and dies in between
python -m tests.chaos.hasty_writer durability    # does not ask MongoDB for its journal
"""

import os
import signal
import sys
from typing import Any

import django
from pymongo import WriteConcern

_INSERTS_BEFORE_DEATH = 5


def acknowledge_first() -> None:
    """Swap the two steps, and be killed between them."""
    from messages_app.writing.inserting import Inserting
    from messages_app.writing.store import Outcome

    real, inserts = Inserting.insert, 0

    def insert(self: Inserting, batch: Any) -> Outcome:
        nonlocal inserts
        inserts += 1
        self._stream.acknowledge(batch.stored(Outcome()))
        if inserts > _INSERTS_BEFORE_DEATH:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(self, batch)

    Inserting.insert = insert  # type: ignore[method-assign]


def forget_durability() -> None:
    """Take MongoDB's word for it that it has received something."""
    from messages_app.writing import inserting, writer
    from relaybase import connections

    durable = connections.mongo_collection
    hasty = WriteConcern(w=1, j=False)
    for module in (inserting, writer):
        vars(module)["mongo_collection"] = lambda name: durable(name).with_options(write_concern=hasty)


if __name__ == "__main__":
    django.setup()
    {"acknowledge": acknowledge_first, "durability": forget_durability}[sys.argv[1]]()
    from messages_app.writing.writer import write

    write(0, lambda: False)
