"""The queues of Celery. `relayproject.processes` says which process serves each.

Standard library only: the stack reads it before there is anything to configure Celery with.
"""

from typing import Final

DEFAULT, LISTENERS, WRITERS, SENDERS, PROCESSORS = QUEUES = (
    *("default", "listeners", "writers", "senders", "processors"),
)

PROPOSE: Final = "relayproject.tasks.propose"
"""The name of the task that proposes the endless ones where they are missing."""
