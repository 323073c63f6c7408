"""The command connection of one listener, and everything that goes over it."""

from collections.abc import Callable
from typing import Final

from django.conf import settings

from channels_app.listening.appender import Appender
from channels_app.listening.outlet import Outlet
from channels_app.listening.ticker import Ticker
from channels_app.listening.watching import Watching
from relaycore.capturing.ticks import Tick
from relaycore.layout import Layout
from relaycore.listening.protocol import ListenerProtocol

_SILENCE_SECONDS: Final = 10.0
"""A connection on which Redis does not answer for so long is given up."""


class Line:
    """Ticks, what was heard, and looks at the server. What comes back goes to `protocol`.

    `name`: of the listener, as its protocol has it. `give_up`: as the appender calls it.
    """

    def __init__(
        self,
        partition: int,
        layout: Layout,
        name: bytes,
        protocol: ListenerProtocol,
        give_up: Callable[[int, Tick | None], None],
    ) -> None:
        self._protocol = protocol
        self.outlet = outlet = Outlet(f"relay-appender-{partition}", protocol.fails)
        self.ticker = ticker = Ticker(outlet, partition, name, protocol)
        self.watching = Watching(outlet, partition)
        memory = settings.RELAY_LISTENER_MEMORY_BYTES
        self.appender = Appender(outlet, partition, layout, ticker.numbers, memory, give_up, ticker.announce)

    def turn(self, now: float) -> None:
        """Send what waits, and take what has come."""
        self.outlet.turn(now, _SILENCE_SECONDS)
        self._protocol.commands_lead_to(self.outlet.run_id)
        self.appender.turn(now)
