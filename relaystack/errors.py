"""What can go wrong while the stack starts.

StackError
├── PortTaken       somebody else listens on the port
└── DataInUse       another start holds the data directory
StopRequested       not an error: Ctrl-C, SIGTERM or SIGHUP came while starting
"""


class StackError(Exception):
    """Says in one sentence, without passwords, what happened and what to do about it."""


class PortTaken(StackError):
    """Somebody else listens on the port."""


class DataInUse(StackError):
    """Another start holds the data directory."""


class StopRequested(Exception):
    """The operator asked for the end before the start was complete."""
