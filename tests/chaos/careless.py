"""Relay's commands without one of their protections: the controls.

    python -m tests.chaos.careless records listen

runs `manage.py listen` without the protection `records`. Each function here takes one out.
"""

import hmac
import ssl
import sys
from collections.abc import Callable
from typing import Any

import django

_RECORD_BYTES = 1 << 14


class _OneRecord:
    """A socket that gives one record of TLS, and then says that there is no more."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.has_given = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def pending(self) -> int:
        return 0

    def recv(self, size: int) -> bytes:
        if self.has_given:
            raise ssl.SSLWantReadError
        self.has_given = True
        return bytes(self._real.recv(min(size, _RECORD_BYTES)))


def records() -> None:
    """Read one record of TLS at a time, and believe that this was all."""
    from relaybase.redis.wire import Connection, Wire

    make, receive = Wire.__init__, Wire.receive

    def make_careless(self: Wire, connection: Connection) -> None:
        make(self, connection)
        self._socket = _OneRecord(self._socket)

    def receive_one(self: Wire) -> list[Any]:
        self._socket.has_given = False
        return receive(self)

    Wire.__init__ = make_careless  # type: ignore[method-assign]
    Wire.receive = receive_one  # type: ignore[method-assign]


def seals() -> None:
    """Take every tick for a genuine one."""
    hmac.compare_digest = lambda a, b: True  # type: ignore[misc,assignment]


def lives() -> None:
    """Go when life is over, whatever waits and whoever is there."""
    from relaycore.listening.protocol import ListenerProtocol

    ListenerProtocol.retire = ListenerProtocol.stop  # type: ignore[method-assign]


def servers() -> None:
    """Take the wrong server for the right one: try again, on the same connection."""
    from relaycore.listening import attachment
    from relaycore.refusals import Refusal

    vars(attachment)["classify"] = lambda error: Refusal.OTHER


def policies() -> None:
    """Take the policy of the table at once, also for what is held."""
    from relaycore.listening.protocol import ListenerProtocol
    from relaycore.policy import Policy

    want = ListenerProtocol.want

    def want_at_once(self: ListenerProtocol, channel: bytes, policy: Policy, row: int) -> None:
        want(self, channel, policy, row)
        self._hearing.capture._change(((channel, policy),))

    ListenerProtocol.want = want_at_once  # type: ignore[method-assign]


def proofs() -> None:
    """Lead on although no tick comes back, and say that all is heard."""
    from channels_app.listening.loop import Listener
    from leases_app.leasing import Condition
    from relaycore.listening.pulse import Pulse

    Listener.condition = lambda self: Condition(0.0)  # type: ignore[method-assign]
    Pulse.is_deaf = Pulse.is_unheard = lambda self, now: False  # type: ignore[method-assign]


def looks() -> None:
    """Believe for ever that the servers are what they were at the start."""
    from relaybase.watching import Soundness

    Soundness.learn = lambda self, findings: None  # type: ignore[method-assign]


def numbers() -> None:
    """Take what is not on the stream for stored."""
    from relaycore.storing.keeping import Keeper

    Keeper.lacks = lambda self, upto, messages: False  # type: ignore[method-assign]
    Keeper.missing_at_the_end = lambda self, beside: None  # type: ignore[method-assign]


def copies() -> None:
    """Take MongoDB for what it was."""
    from relaycore.storing.keeping import Beginning, Keeper
    from relaycore.storing.known import Beside, Kept

    begin = Keeper.begin

    def believe(self: Keeper, acknowledged: int, kept: Kept, beside: Beside) -> Beginning:
        return begin(self, 0, kept, beside)

    Keeper.begin = believe  # type: ignore[method-assign]


def epochs() -> None:
    """Claim the epoch after that of the lease, whatever has ticked."""
    from leases_app.leasing import Contender, Term

    claim = Contender.claim

    def claim_next(
        self: Contender, role: str, partition: int, slot: int = 0, *, beyond: int | None = None, **_: int
    ) -> Term | None:
        return claim(self, role, partition, slot)

    Contender.claim = claim_next  # type: ignore[method-assign]


def echoes() -> None:
    """Take what is announced as an echo for something new."""
    from relaycore.capturing.echoes import Echoes

    Echoes.announce = lambda self, notice: None  # type: ignore[method-assign]


WITHOUT: dict[str, Callable[[], None]] = {
    function.__name__: function
    for function in (records, seals, lives, servers, policies, proofs, looks, numbers, copies, epochs, echoes)
}

if __name__ == "__main__":
    django.setup()
    WITHOUT[sys.argv[1]]()
    from django.core.management import call_command

    call_command(*sys.argv[2:])
